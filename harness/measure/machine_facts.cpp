// SPDX-License-Identifier: Apache-2.0
// hwloc for topology and caches, files of /proc and /sys for the rest. What changes from minute to
// minute (load, free memory) is recorded and kept out of the fingerprint.
#include "harness/measure/machine_facts.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <hwloc.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "core/error.h"
#include "core/units.h"
#include "core/utf8.h"
#include "harness/measure/process_start.h"

namespace stepmark {
namespace {

// Collects facts; empty values are left out.
class Facts {
 public:
  void add(std::string section, std::string name, std::string value, bool fingerprint = true) {
    if (value.empty()) return;
    facts_.push_back({.section = std::move(section),
                      .name = std::move(name),
                      .value = std::move(value),
                      .fingerprint = fingerprint});
  }
  [[nodiscard]] std::vector<EnvironmentFact> take() { return std::move(facts_); }

 private:
  std::vector<EnvironmentFact> facts_;
};

// First line of a file, empty if there is none.
std::string line_of(const std::string& path) {
  std::ifstream stream(path);
  std::string line;
  std::getline(stream, line);
  return line;
}

// "key : value" and "key=value" files, the first of each key.
std::map<std::string, std::string> table_of(const std::string& path, char separator) {
  const auto trimmed = [](const std::string& text) {
    const auto first = text.find_first_not_of(" \t\"");
    if (first == std::string::npos) return std::string();
    return text.substr(first, text.find_last_not_of(" \t\"") + 1 - first);
  };
  std::map<std::string, std::string> table;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) {
    const auto at = line.find(separator);
    if (at == std::string::npos) continue;
    table.emplace(trimmed(line.substr(0, at)), trimmed(line.substr(at + 1)));
  }
  return table;
}

std::string lookup(const std::map<std::string, std::string>& table, const std::string& key) {
  const auto found = table.find(key);
  return found == table.end() ? "" : found->second;
}

using Topology = std::unique_ptr<hwloc_topology, decltype(&hwloc_topology_destroy)>;

Topology load_topology() {
  hwloc_topology_t raw = nullptr;
  STEPMARK_CHECK(hwloc_topology_init(&raw) == 0, "hwloc cannot start");
  Topology topology(raw, &hwloc_topology_destroy);
  STEPMARK_CHECK(hwloc_topology_load(raw) == 0, "hwloc cannot read the machine's topology");
  return topology;
}

std::string count_of(hwloc_topology_t topology, hwloc_obj_type_t type) {
  const int count = hwloc_get_nbobjs_by_type(topology, type);
  return count > 0 ? std::to_string(count) : "";
}

std::string cache_of(hwloc_topology_t topology, hwloc_obj_type_t type) {
  const int count = hwloc_get_nbobjs_by_type(topology, type);
  const hwloc_obj* const cache = hwloc_get_obj_by_type(topology, type, 0);
  if (count <= 0 || cache == nullptr || cache->attr == nullptr) return "";
  return fmt::format("{} x {}", count, format_bytes(static_cast<double>(cache->attr->cache.size)));
}

std::string cpu_model(hwloc_topology_t topology,
                      const std::map<std::string, std::string>& cpuinfo) {
  hwloc_obj* const package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
  const char* const name =
      package == nullptr ? nullptr : hwloc_obj_get_info_by_name(package, "CPUModel");
  return name != nullptr ? name : lookup(cpuinfo, "model name");
}

// Vector and matrix extensions that change which kernels run.
std::string instruction_sets(const std::string& flags) {
  constexpr std::array<std::string_view, 9> kInteresting{
      "avx2",        "fma",         "f16c",     "avx512f", "avx512_bf16",
      "avx512_fp16", "avx512_vnni", "amx_tile", "amx_bf16"};
  std::istringstream words(flags);
  std::string found;
  for (std::string word; words >> word;) {
    if (std::find(kInteresting.begin(), kInteresting.end(), word) == kInteresting.end()) continue;
    found += (found.empty() ? "" : " ") + word;
  }
  return found;
}

// "MemTotal: 16384 kB" -> "15.6 GiB".
std::string memory_of(const std::map<std::string, std::string>& meminfo, const std::string& key) {
  std::istringstream text(lookup(meminfo, key));
  double kib = 0;
  return text >> kib ? format_bytes(kib * kKiB) : "";
}

void add_hardware(Facts& facts) {
  const auto cpuinfo = table_of("/proc/cpuinfo", ':');
  const auto meminfo = table_of("/proc/meminfo", ':');
  const Topology topology = load_topology();
  const std::string flags = lookup(cpuinfo, "flags");
  facts.add("hardware", "CPU model", cpu_model(topology.get(), cpuinfo));
  facts.add("hardware", "instruction sets", instruction_sets(flags));
  facts.add("hardware", "virtual machine",
            (' ' + flags + ' ').find(" hypervisor ") != std::string::npos ? "yes" : "no");
  facts.add("hardware", "packages", count_of(topology.get(), HWLOC_OBJ_PACKAGE));
  facts.add("hardware", "NUMA nodes", count_of(topology.get(), HWLOC_OBJ_NUMANODE));
  facts.add("hardware", "cores", count_of(topology.get(), HWLOC_OBJ_CORE));
  facts.add("hardware", "hardware threads", count_of(topology.get(), HWLOC_OBJ_PU));
  facts.add("hardware", "L1 data cache", cache_of(topology.get(), HWLOC_OBJ_L1CACHE));
  facts.add("hardware", "L2 cache", cache_of(topology.get(), HWLOC_OBJ_L2CACHE));
  facts.add("hardware", "L3 cache", cache_of(topology.get(), HWLOC_OBJ_L3CACHE));
  facts.add("hardware", "memory", memory_of(meminfo, "MemTotal"));
  facts.add("hardware", "memory available", memory_of(meminfo, "MemAvailable"), false);
}

// "1" and "0" of a kernel switch as on and off, or the other way round.
std::string on_off(const std::string& value, std::string_view on) {
  if (value.empty()) return "";
  return value == on ? "on" : "off";
}

std::string turbo() {
  const std::string cpu = "/sys/devices/system/cpu/";
  const std::string intel = on_off(line_of(cpu + "intel_pstate/no_turbo"), "0");
  return intel.empty() ? on_off(line_of(cpu + "cpufreq/boost"), "1") : intel;
}

// The choice in brackets: "always [madvise] never".
std::string chosen(const std::string& line) {
  const auto open = line.find('[');
  const auto close = line.find(']', open == std::string::npos ? 0 : open);
  return open == std::string::npos || close == std::string::npos
             ? ""
             : line.substr(open + 1, close - open - 1);
}

void add_software(Facts& facts) {
  utsname kernel{};
  STEPMARK_CHECK(uname(&kernel) == 0, "uname failed");
  facts.add("hardware", "architecture", &kernel.machine[0]);
  facts.add("software", "kernel", fmt::format("{} {}", &kernel.sysname[0], &kernel.release[0]));
  facts.add("software", "distribution", lookup(table_of("/etc/os-release", '='), "PRETTY_NAME"));
  facts.add("software", "C library", fmt::format("glibc {}", gnu_get_libc_version()));
  const std::string cpu = "/sys/devices/system/cpu/";
  facts.add("software", "CPU governor", line_of(cpu + "cpu0/cpufreq/scaling_governor"));
  facts.add("software", "turbo", turbo());
  facts.add("software", "SMT", on_off(line_of(cpu + "smt/active"), "1"));
  facts.add("software", "transparent huge pages",
            chosen(line_of("/sys/kernel/mm/transparent_hugepage/enabled")));
  facts.add("software", "NUMA balancing", on_off(line_of("/proc/sys/kernel/numa_balancing"), "1"));
  facts.add("software", "clock source",
            line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
}

// Of 1, 5 and 15 minutes.
std::string load_average() {
  std::istringstream text(line_of("/proc/loadavg"));
  std::string one;
  std::string five;
  std::string fifteen;
  return text >> one >> five >> fifteen ? one + ' ' + five + ' ' + fifteen : "";
}

// identity().host is escaped already; here it is said.
std::string host_with_remark() {
  utsname kernel{};
  bool escaped = false;
  if (uname(&kernel) == 0) static_cast<void>(printable_line(&kernel.nodename[0], &escaped));
  return identity().host + (escaped ? fmt::format(" ({})", kNotUtf8) : "");
}

void add_placement(Facts& facts) {
  facts.add("placement", "host", host_with_remark(), false);
  const ProcessStart& start = process_start();
  facts.add("placement", "CPUs allowed",
            start.cpus.empty() ? "" : std::to_string(start.cpus.size()));
  facts.add("placement", "CPU quota",
            start.quota ? fmt::format("{:g} cores", start.quota->cores) : "none");
  facts.add("placement", "load average", load_average(), false);
}

}  // namespace

std::vector<EnvironmentFact> machine_facts() {
  Facts facts;
  add_hardware(facts);
  add_software(facts);
  add_placement(facts);
  return facts.take();
}

}  // namespace stepmark
