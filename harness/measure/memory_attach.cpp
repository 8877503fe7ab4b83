// SPDX-License-Identifier: Apache-2.0
// Ranks read a mark in the next rank's memory, which proves the permission and not a setting.
// `doctor`, which has no ranks, forks two siblings: a parent may read its child where ranks may not
// read each other.
#include "harness/measure/memory_attach.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <sstream>
#include <system_error>
#include <vector>

#include "core/error.h"

namespace stepmark {
namespace {

constexpr std::uint64_t kMark = 0x5374'6570'4d61'726bU;  // "StepMark"
std::uint64_t mark_to_read = kMark;

struct Place {
  std::string host;
  pid_t process = 0;
  std::uintptr_t address = 0;
};

std::vector<Place> places_of_all(Control& control) {
  const auto own = fmt::format("{} {} {}", getpid(),
                               reinterpret_cast<std::uintptr_t>(&mark_to_read), identity().host);
  std::istringstream lines(
      control.broadcast(fmt::format("{}", fmt::join(control.gather(own), "\n"))));
  std::vector<Place> all;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream text(line);
    Place place;
    text >> place.process >> place.address >> std::ws;
    std::getline(text, place.host);
    all.push_back(std::move(place));
  }
  return all;
}

// The next rank of the same host, around the end.
std::optional<Place> neighbour(const std::vector<Place>& all, int rank) {
  const auto size = static_cast<int>(all.size());
  for (int step = 1; step < size; ++step) {
    const Place& other = all[static_cast<std::size_t>((rank + step) % size)];
    if (other.host == identity().host) return other;
  }
  return std::nullopt;
}

// Empty when it worked.
std::string read_from(const Place& place) {
  std::uint64_t value = 0;
  const iovec here{.iov_base = &value, .iov_len = sizeof value};
  const iovec there{.iov_base = reinterpret_cast<void*>(place.address),  // NOLINT(*-int-to-ptr)
                    .iov_len = sizeof value};
  const ssize_t bytes = ::process_vm_readv(place.process, &here, 1, &there, 1, 0);
  if (bytes < 0) return std::generic_category().message(errno);
  if (bytes != sizeof value || value != kMark) return "another process has that number here";
  return {};
}

}  // namespace

std::string memory_attach(Control& control) {
  const std::optional<Place> other = neighbour(places_of_all(control), control.rank());
  const std::string own = !other ? "alone" : read_from(*other);
  std::string verdict;
  const auto all = control.gather(own);  // nobody leaves before all have read
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank] == "alone") continue;
    if (verdict.empty()) verdict = "works";
    if (!all[rank].empty() && verdict == "works") {
      verdict = fmt::format("refused: {} (rank {})", all[rank], rank);
    }
  }
  return control.broadcast(verdict);
}

std::string probe_memory_attach() {
  // Like a rank: MPI lets any process attach where the kernel leaves that to the process (Yama).
  const pid_t target = fork();
  if (target == 0) {
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pause();
    _exit(0);
  }
  if (target < 0) return "not known: " + std::generic_category().message(errno);
  // A sibling reads: a parent may more than ranks may.
  const pid_t reader = fork();
  if (reader == 0) {
    usleep(20'000);  // for the target to have given its permission
    std::uint64_t value = 0;
    const iovec there{.iov_base = &mark_to_read, .iov_len = sizeof value};
    const iovec here{.iov_base = &value, .iov_len = sizeof value};
    const bool read = ::process_vm_readv(target, &here, 1, &there, 1, 0) == sizeof value;
    _exit(read ? 0 : errno & 0x7F);
  }
  int status = 0;
  const bool ended = reader > 0 && waitpid(reader, &status, 0) == reader && WIFEXITED(status);
  kill(target, SIGKILL);
  waitpid(target, nullptr, 0);
  if (!ended) return "not known: the probe did not end by itself";
  const int error = WEXITSTATUS(status);
  return error == 0 ? "works" : "refused: " + std::generic_category().message(error);
}

}  // namespace stepmark
