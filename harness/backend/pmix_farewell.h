// SPDX-License-Identifier: Apache-2.0
// How a process that will start MPI again leaves the PMIx server of its launcher.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace stepmark {

// What a process waits between the server's answer to its goodbye and the end of their connection.
// For a thread of the launcher to run that lost its core in between, on a machine that is busy.
inline constexpr std::chrono::milliseconds kFarewell{300};

// From now on this process ends connections to its PMIx server kFarewell late.
void leave_pmix_slowly();
// What is waited before this socket's connection ends: kFarewell, or nothing.
[[nodiscard]] std::chrono::milliseconds farewell_to(int socket);

// Whether `port` is that of an address like "1234.0;tcp4://127.0.0.1:56041", which is how a PMIx
// server tells its clients where it listens.
[[nodiscard]] bool names_port(std::string_view address, int port);

}  // namespace stepmark
