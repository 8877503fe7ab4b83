// SPDX-License-Identifier: Apache-2.0
// NCCL's environment variables, set before its first call: it reads most of them once. Only the
// host's identity is forced; of the others, what the user has set stays.
#pragma once

#include <string>

namespace stepmark {

// Lets several ranks (processes) use one GPU: NCCL refuses a GPU that two ranks of one host name,
// so each rank becomes a host of its own and data take the network. `one_host`: all ranks are on
// one machine, so the loopback interface reaches them all.
void pose_as_own_host(const std::string& host_id, bool one_host);

// NCCL writes how it connects its ranks to `path`, and with `choices` also which algorithm it takes
// for each call.
void log_to(const std::string& path, bool choices);
// The user has set NCCL_DEBUG: what NCCL logs, and where, is then the user's.
[[nodiscard]] bool log_is_the_users();

}  // namespace stepmark
