// SPDX-License-Identifier: Apache-2.0
// The launcher of Open MPI 4.1 answers a client's goodbye on one thread and only then notes, on
// another, that the client has said it. A client that takes the answer and hangs up before the note
// is made counts as lost: the server expects one process fewer in every fence from then on, and a
// second start of MPI under the same launcher never ends. Seen with PMIx 4.2.2 on two busy cores
// once in some dozens of restarts. No option of PMIx waits in between, but every PMIx ends a
// connection by shutdown(), which this file puts itself in front of.
#include "harness/backend/pmix_farewell.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "core/environment_variable.h"

namespace stepmark {
namespace {

std::atomic<bool> slowly{false};

// Of the other end; 0 where there is none, or it has no port.
int port_of_peer(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return 0;
}

// A launcher sets a variable for each protocol that it speaks, all with one address.
bool is_pmix_server(int port) {
  constexpr std::array kNames{"PMIX_SERVER_URI41", "PMIX_SERVER_URI4", "PMIX_SERVER_URI3",
                              "PMIX_SERVER_URI21", "PMIX_SERVER_URI2"};
  return std::any_of(kNames.begin(), kNames.end(), [&](const char* name) {
    const auto address = environment_variable(name);
    return address && names_port(*address, port);
  });
}

}  // namespace

void leave_pmix_slowly() { slowly = true; }

std::chrono::milliseconds farewell_to(int socket) {
  const bool waits = slowly && is_pmix_server(port_of_peer(socket));
  return waits ? kFarewell : std::chrono::milliseconds{0};
}

bool names_port(std::string_view address, int port) {
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos || port == 0) return false;
  return address.substr(colon + 1) == std::to_string(port);
}

}  // namespace stepmark

// Exported by the program, and so in front of the C library's for all that it loads.
extern "C" int shutdown(int socket, int how) noexcept {
  const auto wait = stepmark::farewell_to(socket);
  if (wait.count() > 0) std::this_thread::sleep_for(wait);
  return static_cast<int>(::syscall(SYS_shutdown, socket, how));
}
