// SPDX-License-Identifier: Apache-2.0
// Metrics of the families `groups` and `overlap`: what working at the same time costs each side.
// Figures of several series are computed from their medians; their intervals take the worst ends of
// every series' interval, which is wider than 95 %.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "results/families/figures.h"

namespace stepmark {
namespace {

struct Times {
  double compute, comm, together;
};

// together / alone.
Metric slowdown(std::string name, const Summary& alone, const Summary& together) {
  return {.name = std::move(name),
          .unit = "1",
          .value = if_finite(together.median / alone.median),
          .lower = if_finite(together.lower / alone.upper),
          .upper = if_finite(together.upper / alone.lower),
          .higher_is_better = false};
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// Of `calls` calls of `bytes` each.
Fact product(Fact bytes, const Fact& calls) {
  if (!bytes.value || !calls.value) return bytes.value ? calls : bytes;
  bytes.value = *bytes.value * *calls.value;
  return bytes;
}

std::string no_samples(const std::string& series) {
  return fmt::format("no samples in series '{}'", series);
}

// Whether all of these series have samples; the name of one that has none otherwise.
std::string first_missing(const Record& record, const std::vector<std::string>& series) {
  for (const std::string& name : series) {
    if (usable_summary(record, name) == nullptr) return name;
  }
  return {};
}

void derive_axis(Record& record, const std::string& axis) {
  const std::vector<std::string> series{axis + "_alone_s", axis + "_together_s"};
  if (const std::string missing = first_missing(record, series); !missing.empty()) {
    for (const char* name : {"_alone", "_together"})
      add_broken(record, axis + name, "s", no_samples(missing));
    add_broken(record, axis + "_slowdown", "1", no_samples(missing));
    for (const char* name : {"_busbw_alone", "_busbw_together"})
      add_broken(record, axis + name, "GB/s", no_samples(missing));
    return;
  }
  const Summary alone = *record.summary(series[0]);
  const Summary together = *record.summary(series[1]);
  const Fact bytes = product(fact(record, axis + "_size_bytes"), fact(record, axis + "_calls"));
  add(record, duration(axis + "_alone", "s", 1.0, alone));
  add(record, duration(axis + "_together", "s", 1.0, together));
  add(record, slowdown(axis + "_slowdown", alone, together));
  add_bus_bandwidth(record, axis + "_busbw_alone", axis + "_op", axis + "_ranks", bytes, alone);
  add_bus_bandwidth(record, axis + "_busbw_together", axis + "_op", axis + "_ranks", bytes,
                    together);
}

}  // namespace

void derive_groups(Record& record, const Summary& time) {
  add(record, duration("together", "s", 1.0, time));
  const std::vector<std::string> axes = split(record.text("axes"));
  double one_after_the_other = 0;
  std::string missing = axes.empty() ? "text 'axes' names no axis" : "";
  for (const std::string& axis : axes) {
    derive_axis(record, axis);
    const Summary* alone = usable_summary(record, axis + "_alone_s");
    if (alone == nullptr) missing = no_samples(axis + "_alone_s");
    one_after_the_other += alone == nullptr ? 0 : alone->median;
  }
  if (!missing.empty()) {
    add_broken(record, "against_sequential", "1", missing);
    return;
  }
  add(record, figure("against_sequential", "1", time.median / one_after_the_other,
                     "time together / sum of the times alone", false));
}

namespace {

// Figures of three times: monotone in every one but the shorter of compute and comm, so that the
// ends of the interval lie at corners.
Metric from_corners(std::string name, std::string unit, bool higher_is_better,
                    const std::array<Summary, 3>& times, double (*value)(const Times&)) {
  const auto& [compute, comm, together] = times;
  double lowest = value({compute.lower, comm.lower, together.lower});
  double highest = lowest;
  for (const double c : {compute.lower, compute.upper}) {
    for (const double m : {comm.lower, comm.upper}) {
      for (const double t : {together.lower, together.upper}) {
        const double corner = value({c, m, t});
        lowest = std::min(lowest, corner);
        highest = std::max(highest, corner);
      }
    }
  }
  return {.name = std::move(name),
          .unit = std::move(unit),
          .value = if_finite(value({compute.median, comm.median, together.median})),
          .lower = if_finite(lowest),
          .upper = if_finite(highest),
          .higher_is_better = higher_is_better};
}

// What needs all four series.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kOverlapFigures{
    {{"compute_alone", "s"},
     {"comm_alone", "s"},
     {"overlap_efficiency", "1"},
     {"exposed_comm", "s"},
     {"compute_slowdown", "1"},
     {"comm_slowdown", "1"},
     {"gflops_alone", "GFLOP/s"},
     {"gflops_together", "GFLOP/s"}}};

double efficiency(const Times& t) {
  return (t.compute + t.comm - t.together) / std::min(t.compute, t.comm);
}
double exposed(const Times& t) { return t.together - t.compute; }

}  // namespace

void derive_overlap(Record& record, const Summary& time) {
  add(record, duration("together", "s", 1.0, time));
  const std::string missing = first_missing(
      record, {"compute_alone_s", "comm_alone_s", "compute_together_s", "comm_together_s"});
  if (!missing.empty()) {
    for (const auto& [name, unit] : kOverlapFigures)
      add_broken(record, std::string(name), std::string(unit), no_samples(missing));
    return;
  }
  const Summary compute = *record.summary("compute_alone_s");
  const Summary comm = *record.summary("comm_alone_s");
  const Summary compute_together = *record.summary("compute_together_s");
  const Summary comm_together = *record.summary("comm_together_s");
  const std::array<Summary, 3> times{compute, comm, time};
  add(record, duration("compute_alone", "s", 1.0, compute));
  add(record, duration("comm_alone", "s", 1.0, comm));
  add(record, from_corners("overlap_efficiency", "1", true, times, efficiency));
  add(record, from_corners("exposed_comm", "s", false, times, exposed));
  add(record, slowdown("compute_slowdown", compute, compute_together));
  add(record, slowdown("comm_slowdown", comm, comm_together));
  const Fact flops = product(fact(record, "flops"), fact(record, "gemm_calls"));
  add_rate(record, "gflops_alone", "GFLOP/s", flops, 1e-9, compute, "no arithmetic");
  add_rate(record, "gflops_together", "GFLOP/s", flops, 1e-9, compute_together, "no arithmetic");
  if (record.text("collective").empty()) return;
  const Fact bytes = product(fact(record, "size_bytes"), fact(record, "comm_calls"));
  add_bus_bandwidth(record, "busbw_alone", "collective", "ranks", bytes, comm);
  add_bus_bandwidth(record, "busbw_together", "collective", "ranks", bytes, comm_together);
}

}  // namespace stepmark
