// SPDX-License-Identifier: Apache-2.0
// Metrics of the families `groups` and `overlap`: what working at the same time costs each side.
// Figures of several series are computed from their medians; their intervals take the worst ends of
// every series' interval, which is wider than 95 %.
#include <algorithm>
#include <functional>
#include <vector>

#include "core/error.h"
#include "core/metrics.h"
#include "core/units.h"
#include "results/record/derive_parts.h"

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

Metric bus_bandwidth(std::string name, double factor, double bytes, const Summary& time) {
  return factor > 0 && bytes > 0 ? rate(std::move(name), "GB/s", factor * bytes / kGB, time)
                                 : not_available(std::move(name), "GB/s", "nothing crosses a link");
}

}  // namespace

void derive_groups(Record& record, const Summary& time) {
  auto& metrics = record.metrics;
  metrics.push_back(duration("together", "s", 1.0, time));
  double one_after_the_other = 0;
  for (const std::string& axis : split(record.text("axes"))) {
    const Summary alone = required_summary(record, axis + "_alone_s");
    const Summary together = required_summary(record, axis + "_together_s");
    const auto kind = collective_from(record.text(axis + "_op"));
    const double bytes = required(record, axis + "_size_bytes") * required(record, axis + "_calls");
    const double factor = bus_factor(kind, static_cast<int>(required(record, axis + "_ranks")));
    metrics.push_back(duration(axis + "_alone", "s", 1.0, alone));
    metrics.push_back(duration(axis + "_together", "s", 1.0, together));
    metrics.push_back(slowdown(axis + "_slowdown", alone, together));
    metrics.push_back(bus_bandwidth(axis + "_busbw_alone", factor, bytes, alone));
    metrics.push_back(bus_bandwidth(axis + "_busbw_together", factor, bytes, together));
    one_after_the_other += alone.median;
  }
  STEPMARK_REQUIRE(one_after_the_other > 0, "{}: text 'axes' names no axis", record.case_id);
  metrics.push_back({.name = "against_sequential",
                     .unit = "1",
                     .value = if_finite(time.median / one_after_the_other),
                     .note = "time together / sum of the times alone",
                     .higher_is_better = false});
}

void derive_overlap(Record& record, const Summary& time) {
  const Summary compute = required_summary(record, "compute_alone_s");
  const Summary comm = required_summary(record, "comm_alone_s");
  const Summary compute_together = required_summary(record, "compute_together_s");
  const Summary comm_together = required_summary(record, "comm_together_s");
  auto& metrics = record.metrics;
  metrics.push_back(duration("together", "s", 1.0, time));
  metrics.push_back(duration("compute_alone", "s", 1.0, compute));
  metrics.push_back(duration("comm_alone", "s", 1.0, comm));
  // Monotone in every argument but the shorter of compute and comm, so that the ends of the
  // interval lie at corners.
  const auto from_corners = [&](std::string name, std::string unit, bool higher_is_better,
                                const std::function<double(const Times&)>& value) {
    double lowest = value({compute.lower, comm.lower, time.lower});
    double highest = lowest;
    for (const double c : {compute.lower, compute.upper}) {
      for (const double m : {comm.lower, comm.upper}) {
        for (const double t : {time.lower, time.upper}) {
          const double corner = value({c, m, t});
          lowest = std::min(lowest, corner);
          highest = std::max(highest, corner);
        }
      }
    }
    metrics.push_back({.name = std::move(name),
                       .unit = std::move(unit),
                       .value = if_finite(value({compute.median, comm.median, time.median})),
                       .lower = if_finite(lowest),
                       .upper = if_finite(highest),
                       .higher_is_better = higher_is_better});
  };
  from_corners("overlap_efficiency", "1", true, [](const Times& t) {
    return (t.compute + t.comm - t.together) / std::min(t.compute, t.comm);
  });
  from_corners("exposed_comm", "s", false, [](const Times& t) { return t.together - t.compute; });
  metrics.push_back(slowdown("compute_slowdown", compute, compute_together));
  metrics.push_back(slowdown("comm_slowdown", comm, comm_together));
  const double flops = required(record, "flops") * required(record, "gemm_calls");
  metrics.push_back(rate("gflops_alone", "GFLOP/s", flops / 1e9, compute));
  metrics.push_back(rate("gflops_together", "GFLOP/s", flops / 1e9, compute_together));
  if (record.text("collective").empty()) return;
  const double bytes = required(record, "size_bytes") * required(record, "comm_calls");
  const double factor = bus_factor(collective_from(record.text("collective")),
                                   static_cast<int>(required(record, "ranks")));
  metrics.push_back(bus_bandwidth("busbw_alone", factor, bytes, comm));
  metrics.push_back(bus_bandwidth("busbw_together", factor, bytes, comm_together));
}

}  // namespace stepmark
