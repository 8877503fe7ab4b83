// SPDX-License-Identifier: Apache-2.0
// Metrics from facts and times. Conventions: docs/measuring.md; names: docs/file-formats.md.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/metrics.h"
#include "core/units.h"
#include "results/record/derive_parts.h"
#include "results/record/record.h"
#include "results/record/summary.h"

namespace stepmark {

namespace {

constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;
constexpr double kMicro = 1e-6;

}  // namespace

std::optional<double> if_finite(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

Metric not_available(std::string name, std::string unit, std::string why) {
  return {.name = std::move(name), .unit = std::move(unit), .note = std::move(why)};
}

Metric rate(std::string name, std::string unit, double work, const Summary& time) {
  return {.name = std::move(name),
          .unit = std::move(unit),
          .value = if_finite(work / time.median),
          .lower = if_finite(work / time.upper),
          .upper = if_finite(work / time.lower)};
}

Metric duration(std::string name, std::string unit, double scale, const Summary& time) {
  return {.name = std::move(name),
          .unit = std::move(unit),
          .value = if_finite(time.median / scale),
          .lower = if_finite(time.lower / scale),
          .upper = if_finite(time.upper / scale),
          .higher_is_better = false};
}

double required(const Record& record, std::string_view name) {
  const auto value = record.number(name);
  STEPMARK_REQUIRE(value.has_value(), "{}: number '{}' is missing", record.case_id, name);
  return *value;
}

std::optional<double> positive(const Record& record, std::string_view name) {
  const auto value = record.number(name);
  return value && *value > 0 ? value : std::nullopt;
}

const Summary& required_summary(const Record& record, std::string_view series) {
  const Summary* summary = record.summary(series);
  STEPMARK_REQUIRE(summary != nullptr && summary->count > 0, "{}: no samples in series '{}'",
                   record.case_id, series);
  return *summary;
}

namespace {

void derive_collective(Record& record, const Summary& time) {
  const auto kind = collective_from(record.text("collective"));
  const auto size_bytes = required(record, "size_bytes");
  const auto ranks = static_cast<int>(required(record, "ranks"));
  const auto factor = bus_factor(kind, ranks);
  if (size_bytes > 0) {
    record.metrics.push_back(rate("algbw", "GB/s", size_bytes / kGB, time));
  } else {
    record.metrics.push_back(not_available("algbw", "GB/s", "moves no data"));
  }
  if (size_bytes > 0 && factor > 0) {
    record.metrics.push_back(rate("busbw", "GB/s", factor * size_bytes / kGB, time));
  } else {
    record.metrics.push_back(not_available(
        "busbw", "GB/s", size_bytes > 0 ? "one rank: nothing crosses a link" : "moves no data"));
  }
  record.metrics.push_back(duration("latency", "us", kMicro, time));
  // Where a sample is a single call it is isolated itself.
  const Summary* isolated = record.summary("isolated_s");
  if (isolated != nullptr && isolated->count > 0) {
    const Summary single = *isolated;
    record.metrics.push_back(duration("isolated", "us", kMicro, single));
  } else if (record.number("calls_per_sample") == 1.0) {
    record.metrics.push_back(duration("isolated", "us", kMicro, time));
  }
  if (const auto first_s = positive(record, "first_call_s")) {
    record.metrics.push_back({.name = "first_call",
                              .unit = "us",
                              .value = *first_s / kMicro,
                              .note = "once: connections are set up; checked data",
                              .higher_is_better = false});
  }
}

void derive_kernel(Record& record, const Summary& time) {
  const auto flops = required(record, "flops");
  const auto bytes = required(record, "bytes");
  record.metrics.push_back(flops > 0 ? rate("gflops", "GFLOP/s", flops / kGiga, time)
                                     : not_available("gflops", "GFLOP/s", "no arithmetic"));
  record.metrics.push_back(bytes > 0 ? rate("gbps", "GB/s", bytes / kGB, time)
                                     : not_available("gbps", "GB/s", "moves no data"));
  const auto peak_gflops = positive(record, "peak_gflops");
  const auto copy_gbps = positive(record, "copy_gbps");
  if (!peak_gflops && !copy_gbps) {
    record.metrics.push_back(
        not_available("roofline", "1", "neither GEMM peak nor copy bandwidth is known"));
    return;
  }
  const double compute_s = peak_gflops ? flops / (*peak_gflops * kGiga) : 0.0;
  const double memory_s = copy_gbps ? bytes / (*copy_gbps * kGB) : 0.0;
  const double floor_s = std::max(compute_s, memory_s);
  record.metrics.push_back({.name = "floor",
                            .unit = "s",
                            .value = floor_s,
                            .note = "what the measured peaks allow",
                            .higher_is_better = false});
  auto roofline = rate("roofline", "1", floor_s, time);
  roofline.note = compute_s >= memory_s ? "compute bound" : "memory bound";
  if (!peak_gflops || !copy_gbps) {
    roofline.note += peak_gflops ? "; copy bandwidth unknown" : "; GEMM peak unknown";
  }
  record.metrics.push_back(std::move(roofline));
}

// Utilisation of the dense peak of all GPUs. A value over 1 is a wrong peak or a wrong count:
// model_flops_utilization throws.
Metric utilization(const Record& record, std::string name, std::string_view flops_name,
                   const Summary& time) {
  const auto flops = positive(record, flops_name);
  const auto peak = positive(record, "peak_flops_per_s");
  if (!flops || !peak) {
    return not_available(
        std::move(name), "1",
        peak ? fmt::format("{} is unknown", flops_name) : "dense peak of the device is unknown");
  }
  const double all_peak = *peak * required(record, "gpus");
  static_cast<void>(model_flops_utilization(*flops, time.median, all_peak));
  return rate(std::move(name), "1", *flops / all_peak, time);
}

void derive_step(Record& record, const Summary& time) {
  const auto tokens = required(record, "tokens_per_step");
  const auto gpus = required(record, "gpus");
  STEPMARK_REQUIRE(gpus > 0, "{}: number 'gpus' must be positive", record.case_id);
  auto& metrics = record.metrics;
  metrics.push_back(duration("step_time", "s", 1.0, time));
  metrics.push_back(rate("tokens_per_s", "tokens/s", tokens, time));
  metrics.push_back(rate("tokens_per_s_per_gpu", "tokens/s", tokens / gpus, time));
  const auto model_flops = positive(record, "model_flops_per_step");
  metrics.push_back(
      model_flops ? rate("tflops_per_gpu", "TFLOP/s", *model_flops / gpus / kTera, time)
                  : not_available("tflops_per_gpu", "TFLOP/s", "model_flops_per_step is unknown"));
  metrics.push_back(utilization(record, "mfu", "model_flops_per_step", time));
  metrics.push_back(utilization(record, "hfu", "hardware_flops_per_step", time));
  if (const auto gap_s = record.number("gap_s")) {
    metrics.push_back({.name = "gap",
                       .unit = "1",
                       .value = if_finite(*gap_s / time.median),
                       .note = "share of the step in which no stream of a rank was at work",
                       .higher_is_better = false});
  }
  if (const auto joules = positive(record, "joules_per_sample")) {
    metrics.push_back({.name = "tokens_per_joule",
                       .unit = "tokens/J",
                       .value = tokens / *joules,
                       .note = "of the devices, waiting between steps included"});
  }
}

// Any family: a sample's share of the energy of the whole window. Of a collective, one call's.
void derive_energy(Record& record) {
  const auto joules = positive(record, "joules_per_sample");
  if (!joules) return;
  const double calls =
      record.family == "collective" ? positive(record, "calls_per_sample").value_or(1.0) : 1.0;
  record.metrics.push_back({.name = "energy",
                            .unit = "J",
                            .value = *joules / calls,
                            .note = "of all devices, per sample; waiting included",
                            .higher_is_better = false});
}

// What was timed is not what the machine can do: no figure of it may pass for that.
void withhold_performance(Record& record) {
  for (Metric& metric : record.metrics) {
    metric.value.reset();
    metric.lower.reset();
    metric.upper.reset();
    metric.note = not_performance(record);
  }
}

}  // namespace

std::string not_performance(const Record& record) {
  const std::string topology = record.text("topology");
  return topology.empty() ? "not performance" : "not performance: " + topology;
}

void derive(Record& record) {
  STEPMARK_REQUIRE(record.outcome == Outcome::ok,
                   "{}: only a measured case has metrics, this is {}", record.case_id,
                   name_of(record.outcome));
  record.summaries.clear();
  record.metrics.clear();
  for (const auto& series : record.series) {
    record.summaries.push_back(summarize(series));
  }
  const auto* time = record.summary("time_s");
  STEPMARK_REQUIRE(time != nullptr && time->count > 0, "{}: no samples in series 'time_s'",
                   record.case_id);
  const Summary summary = *time;
  STEPMARK_REQUIRE(summary.median > 0, "{}: a median time of {} s is not a measurement",
                   record.case_id, summary.median);
  if (record.family == "collective") {
    derive_collective(record, summary);
  } else if (record.family == "kernel") {
    derive_kernel(record, summary);
  } else if (record.family == "step") {
    derive_step(record, summary);
  } else if (record.family == "groups") {
    derive_groups(record, summary);
  } else if (record.family == "overlap") {
    derive_overlap(record, summary);
  } else {
    throw Error(
        ExitCode::kUsage,
        fmt::format("{}: family '{}', expected collective | kernel | groups | overlap | step",
                    record.case_id, record.family));
  }
  derive_energy(record);
  if (!record.perf_valid) withhold_performance(record);
}

}  // namespace stepmark
