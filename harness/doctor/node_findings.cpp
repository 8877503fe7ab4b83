// SPDX-License-Identifier: Apache-2.0
// Facts first (getifaddrs, getrlimit, statvfs, a probe of process_vm_readv), then judged by pure
// functions, which tests call with facts of other machines. Limits that matter to RDMA alone are
// judged with GPUs only.
#include "harness/doctor/node_findings.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/resource.h>

#include <memory>
#include <string_view>

#include "core/units.h"
#include "harness/measure/memory_attach.h"
#include "harness/measure/shared_memory.h"

namespace stepmark {
namespace {

// NCCL's host buffers between ranks of a host, and MPI's, for eight ranks.
constexpr double kSmallShm = 64.0 * static_cast<double>(kMiB);
constexpr double kSmallShmOfGpus = 1.0 * static_cast<double>(kGiB);
// Registered memory for RDMA counts as locked; a NIC's queues alone take more than the usual 8 MiB.
constexpr double kSmallLocked = 1.0 * static_cast<double>(kGiB);
// Sockets and shared-memory files of NCCL and MPI grow with the ranks.
constexpr std::uint64_t kFewFiles = 1024;

bool loopback_is_up() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return false;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> holder(first, freeifaddrs);
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (std::string_view(one->ifa_name) == "lo" && (one->ifa_flags & IFF_UP) != 0) return true;
  }
  return false;
}

Finding shm_finding(const NodeFacts& facts, bool have_gpus) {
  if (!facts.shm_free_bytes) {
    return {.what = "/dev/shm",
            .health = Health::broken,
            .found = "missing",
            .advice = "MPI and NCCL need it between ranks of a host: mount a tmpfs there"};
  }
  Finding finding{.what = "/dev/shm", .found = format_bytes(*facts.shm_free_bytes) + " free"};
  if (*facts.shm_free_bytes < (have_gpus ? kSmallShmOfGpus : kSmallShm)) {
    finding.health = Health::warning;
    finding.advice = fmt::format("small (a container's default?): start it with --shm-size={}",
                                 have_gpus ? "8g" : "1g");
  }
  return finding;
}

Finding attach_finding(const NodeFacts& facts) {
  Finding finding{.what = "CMA", .found = "copies between processes: " + facts.memory_attach};
  if (facts.memory_attach != "works") {
    finding.health = Health::warning;
    finding.advice =
        "large messages between ranks of this host are several times slower: in a container, "
        "--cap-add SYS_PTRACE or a seccomp profile that allows process_vm_readv; else sysctl "
        "kernel.yama.ptrace_scope=0";
  }
  return finding;
}

Finding loopback_finding(const NodeFacts& facts) {
  if (facts.loopback_up) return {.what = "loopback", .found = "lo is up"};
  return {.what = "loopback",
          .health = Health::broken,
          .found = "lo is missing or down",
          .advice =
              "ranks of a host find each other through it, and NCCL's sockets when several ranks "
              "share a GPU: ip link set lo up"};
}

Finding locked_finding(const NodeFacts& facts) {
  if (!facts.locked_memory_bytes) return {.what = "locked", .found = "memory without limit"};
  Finding finding{.what = "locked",
                  .found = "memory up to " + format_bytes(*facts.locked_memory_bytes)};
  if (*facts.locked_memory_bytes < kSmallLocked) {
    finding.health = Health::warning;
    finding.advice =
        "too little for RDMA between hosts: ulimit -l unlimited (limits.conf: memlock; a "
        "container: --ulimit memlock=-1; Slurm: PropagateResourceLimits)";
  }
  return finding;
}

Finding files_finding(const NodeFacts& facts) {
  Finding finding{.what = "open files", .found = fmt::format("up to {}", facts.open_files)};
  if (facts.open_files < kFewFiles) {
    finding.health = Health::warning;
    finding.advice = "few for the sockets of many ranks: ulimit -n 65536";
  }
  return finding;
}

}  // namespace

NodeFacts probe_node() {
  NodeFacts facts{.memory_attach = probe_memory_attach(), .loopback_up = loopback_is_up()};
  const ShmSize shm = shm_size();
  facts.shm_free_bytes = shm.free_bytes;
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    facts.locked_memory_bytes = static_cast<double>(limit.rlim_cur);
  }
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.open_files = limit.rlim_cur;
  return facts;
}

std::vector<Finding> node_findings(const NodeFacts& facts, bool have_gpus) {
  std::vector<Finding> findings{shm_finding(facts, have_gpus), attach_finding(facts),
                                loopback_finding(facts)};
  // Host ranks lock no memory and open few files.
  if (have_gpus) {
    findings.push_back(locked_finding(facts));
    findings.push_back(files_finding(facts));
  }
  return findings;
}

}  // namespace stepmark
