// SPDX-License-Identifier: Apache-2.0
// Judges what the library was seen to use against what the kernel allows. Two runs whose large
// messages go other ways are not like for like, hence facts; a slow way is a remark with the
// remedy.
#include "harness/run/transport.h"

#include <fmt/format.h>

#include <set>

#include "core/units.h"
#include "harness/measure/memory_attach.h"
#include "harness/measure/shared_memory.h"

namespace stepmark {
namespace {

constexpr const char* kRefused =
    "MPI wants to copy large messages directly between processes (CMA) and the kernel refuses: "
    "they are several times slower. In a container: --cap-add SYS_PTRACE, or a seccomp profile "
    "that allows process_vm_readv; else sysctl kernel.yama.ptrace_scope=0. Without either, --mca "
    "btl_vader_single_copy_mechanism none ends MPI's complaints, not the cost";
constexpr const char* kNoSharedMemory =
    "ranks of a host do not use shared memory but {}: large messages are several times slower. Is "
    "/dev/shm too small (docker --shm-size=1g)? Was a transport excluded (--mca btl)?";

bool mentions(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

Transport judge_transport(const LibraryTransport& library, const std::string& attach,
                          const std::string& shm_size, bool several_on_a_host, bool several_hosts) {
  Transport out;
  const auto add = [&](const char* section, const char* name, const std::string& value) {
    if (!value.empty()) out.facts.push_back({.section = section, .name = name, .value = value});
  };
  add("placement", "/dev/shm size", shm_size);
  if (!several_on_a_host && !several_hosts) return out;
  add("mpi", "messages", library.messages);
  if (several_on_a_host) {
    add("mpi", "same host", library.same_host);
    add("mpi", "cross-memory attach", attach);
    if (mentions(library.same_host, "by cma") && attach.starts_with("refused")) {
      out.remarks.push_back(fmt::format("{} ({})", kRefused, attach));
    }
    if (library.messages == "ob1" && !mentions(library.same_host, "shared memory")) {
      out.remarks.push_back(fmt::format(fmt::runtime(kNoSharedMemory), library.same_host));
    }
  }
  if (several_hosts) add("mpi", "other hosts", library.other_hosts);
  return out;
}

Transport observe_transport(Job& job, const Peers& peers) {
  const std::string attach = memory_attach(job.control());
  const auto& hosts = peers.hosts();
  const std::set<std::string> distinct(hosts.begin(), hosts.end());
  const auto shm = shm_size().size_bytes;
  return judge_transport(job.transport(), attach, shm ? format_bytes(*shm) : "missing",
                         distinct.size() < hosts.size(), distinct.size() > 1);
}

}  // namespace stepmark
