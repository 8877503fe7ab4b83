// SPDX-License-Identifier: Apache-2.0
// Metrics from facts and times. Conventions: docs/measuring.md; names: docs/file-formats.md.
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "core/metrics.h"
#include "core/units.h"
#include "results/record/record.h"
#include "results/record/summary.h"

namespace stepmark {

namespace {

constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;
constexpr double kMicro = 1e-6;

std::optional<double> if_finite(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

Metric not_available(std::string name, std::string unit, std::string why) {
  return {.name = std::move(name), .unit = std::move(unit), .note = std::move(why)};
}

// work / time: the upper time gives the lower rate.
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

// A fact that must be positive to mean something; absent otherwise.
std::optional<double> positive(const Record& record, std::string_view name) {
  const auto value = record.number(name);
  return value && *value > 0 ? value : std::nullopt;
}

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
  auto roofline = rate("roofline", "1", std::max(compute_s, memory_s), time);
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
}

}  // namespace

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
  } else {
    throw Error(ExitCode::kUsage,
                fmt::format("{}: family '{}', expected collective | kernel | step", record.case_id,
                            record.family));
  }
}

}  // namespace stepmark
