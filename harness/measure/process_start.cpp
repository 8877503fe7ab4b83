// SPDX-License-Identifier: Apache-2.0
// The mask is read in .preinit_array, before OpenMP's constructor binds this thread, by system
// call, since the C library's cpu_set_t ends at 1024 CPUs. The launcher's mask is that of the
// parent process.
#include "harness/measure/process_start.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include "core/environment_variable.h"
#include "harness/measure/environment_capture.h"

namespace stepmark {
namespace {

// 65,536 CPUs; the kernel refuses a mask that is shorter than its own, which may be longer than the
// 1024 of the C library's cpu_set_t.
constexpr std::size_t kMaskBytes = 8192;
static_assert(std::endian::native == std::endian::little, "the kernel's mask is of long words");

struct Mask {
  std::array<unsigned char, kMaskBytes> bits;
  long bytes;  // that the kernel wrote; -1: nothing is known
};

void read_mask(Mask& mask, pid_t process) {
  mask.bytes = ::syscall(SYS_sched_getaffinity, process, mask.bits.size(), mask.bits.data());
}

std::vector<int> cpus_of(const Mask& mask) {
  if (mask.bytes <= 0) return {};
  return cpus_of_mask({mask.bits.data(), static_cast<std::size_t>(mask.bytes)});
}

Mask first_mask;

// Runs before the constructors of shared libraries, among them OpenMP's, which binds this thread.
// Nothing but a system call: no library is ready yet.
void keep_first_mask() { read_mask(first_mask, 0); }
// NOLINTNEXTLINE(*-avoid-non-const-global-variables): the linker wants it writable
[[gnu::section(".preinit_array"), gnu::used]] void (*before_libraries)() = &keep_first_mask;

ProcessStart read_start() {
  ProcessStart start;
  start.cpus = cpus_of(first_mask);
  Mask launcher{};
  read_mask(launcher, getppid());
  start.launcher_cpus = cpus_of(launcher);
  start.quota = cgroup_cpu_quota();
  start.variables = recorded_variables();
  return start;
}

bool take_number(std::string_view& text, int& value) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0) return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return true;
}

}  // namespace

const ProcessStart& process_start() {
  static const ProcessStart start = read_start();
  return start;
}

void restore_first_mask() {
  if (first_mask.bytes <= 0) return;
  static_cast<void>(::syscall(SYS_sched_setaffinity, 0, first_mask.bytes, first_mask.bits.data()));
}

std::vector<int> cpus_of_mask(std::span<const unsigned char> mask) {
  std::vector<int> cpus;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      if ((mask[i] >> bit & 1) != 0) cpus.push_back(static_cast<int>(8 * i) + bit);
    }
  }
  return cpus;
}

std::string cpu_list(std::span<const int> cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cpus[i]);
    if (last > i) text += fmt::format("-{}", cpus[last]);
    i = last + 1;
  }
  return text;
}

std::optional<std::vector<int>> parse_cpu_list(std::string_view text) {
  constexpr int kHighest = 8 * static_cast<int>(kMaskBytes);
  std::vector<int> cpus;
  while (!text.empty()) {
    int first = 0;
    if (!take_number(text, first)) return std::nullopt;
    int last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      if (!take_number(text, last)) return std::nullopt;
    }
    if (last < first || last >= kHighest) return std::nullopt;
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (text.empty()) break;
    if (!text.starts_with(',') || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
  }
  return cpus;
}

std::vector<EnvironmentFact> recorded_variables() {
  std::vector<EnvironmentFact> facts;
  for_each_environment_variable([&](std::string_view name, std::string_view value) {
    if (!variable_is_recorded(name)) return;
    facts.push_back(
        {.section = "variables", .name = std::string(name), .value = std::string(value)});
  });
  std::sort(facts.begin(), facts.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return facts;
}

}  // namespace stepmark
