// SPDX-License-Identifier: Apache-2.0
// Metrics of the family `step`. Model FLOPs are counted twice: as PaLM does, every query against
// every key, and with attention counted causally, where a query sees half of them. The first is
// what is published; at long sequences it counts work that no causal kernel does, so that its
// utilisation can exceed 1 although nothing is wrong.
#include <fmt/format.h>

#include "core/metrics.h"
#include "results/families/figures.h"

namespace stepmark {
namespace {

constexpr double kTera = 1e12;

// What FLOPs are counted, and what a utilisation and a rate of them are called.
struct Count {
  const char* flops;
  const char* utilization;
  const char* rate;  // nullptr: none
};
constexpr Count kModel{"model_flops_per_step", "mfu", "tflops_per_gpu"};
constexpr Count kCausal{"model_flops_causal_per_step", "mfu_causal", "tflops_per_gpu_causal"};
constexpr Count kHardware{"hardware_flops_per_step", "hfu", nullptr};

// NaN where something is unknown.
double utilization_of(const Record& record, const Count& count, double gpus, double seconds) {
  return flops_utilization(positive(record, count.flops).value_or(0), seconds,
                           positive(record, "peak_flops_per_s").value_or(0) * gpus);
}

std::string over_one(const Record& record, const Count& count, double value, double gpus,
                     double seconds) {
  const std::string source = record.text("peak_source");
  std::string why = fmt::format("over 1 ({:.3f}): {} or the FLOP count is wrong", value,
                                source.empty() || source.starts_with("cluster ")
                                    ? "the cluster file's peak"
                                    : fmt::format("the peak ({})", source));
  if (&count == &kModel && utilization_of(record, kCausal, gpus, seconds) <= 1) {
    why += " (it counts attention without causal halving: see mfu_causal, which is not over 1)";
  }
  return why;
}

std::string unknown_peak(const Record& record) {
  const std::string why = record.text("peak_unknown");
  return "dense peak of the device is unknown" + (why.empty() ? why : ": " + why);
}

// Whose peak, at which power and clock it is specified, and at which the time was taken; nothing
// where the record does not say whose.
std::string peak_note(const Record& record, double peak) {
  const std::string source = record.text("peak_source");
  if (source.empty()) return {};
  std::string note = fmt::format("of {:g} TFLOP/s ({})", peak / kTera, source);
  const auto append = [&](const char* words, const char* name, const char* unit) {
    if (const auto value = positive(record, name)) {
      note += fmt::format("{} {:g} {}", words, *value, unit);
    }
  };
  append(", specified at", "peak_specified_power_w", "W");
  append(", SM clock", "peak_specified_sm_clock_mhz", "MHz");
  append("; taken at a power cap of", "gpu_power_limit_w", "W");
  append(", SM clock", "gpu_sm_clock_mhz", "MHz");
  return note;
}

void add_utilization(Record& record, const Count& count, double gpus, const Summary& time) {
  const auto flops = positive(record, count.flops);
  const auto peak = positive(record, "peak_flops_per_s");
  if (!flops || !peak) {
    add(record,
        not_available(count.utilization, "1",
                      peak ? fmt::format("{} is unknown", count.flops) : unknown_peak(record)));
    return;
  }
  const double value = utilization_of(record, count, gpus, time.median);
  if (value > 1) {
    add_broken(record, count.utilization, "1", over_one(record, count, value, gpus, time.median));
  } else {
    Metric metric = rate(count.utilization, "1", *flops / (*peak * gpus), time);
    metric.note = peak_note(record, *peak);
    add(record, metric);
  }
}

void add_flops_rate(Record& record, const Count& count, double gpus, const Summary& time) {
  const auto flops = positive(record, count.flops);
  add(record,
      flops ? rate(count.rate, "TFLOP/s", *flops / gpus / kTera, time)
            : not_available(count.rate, "TFLOP/s", fmt::format("{} is unknown", count.flops)));
}

// Figures per GPU: none of them without a number of GPUs.
void add_per_gpu(Record& record, const Fact& tokens, const Summary& time) {
  const Fact gpus = fact(record, "gpus");
  if (!gpus.value || *gpus.value <= 0) {
    const std::string why = gpus.value ? "number 'gpus' is 0" : gpus.why;
    add_broken(record, "tokens_per_s_per_gpu", "tokens/s", why);
    for (const Count* count : {&kModel, &kCausal}) add_broken(record, count->rate, "TFLOP/s", why);
    for (const Count* count : {&kModel, &kCausal, &kHardware})
      add_broken(record, count->utilization, "1", why);
    return;
  }
  add_rate(record, "tokens_per_s_per_gpu", "tokens/s", tokens, 1 / *gpus.value, time, "no tokens");
  for (const Count* count : {&kModel, &kCausal}) add_flops_rate(record, *count, *gpus.value, time);
  for (const Count* count : {&kModel, &kCausal, &kHardware})
    add_utilization(record, *count, *gpus.value, time);
}

}  // namespace

void derive_step(Record& record, const Summary& time) {
  const Fact tokens = fact(record, "tokens_per_step");
  add(record, duration("step_time", "s", 1.0, time));
  add_rate(record, "tokens_per_s", "tokens/s", tokens, 1, time, "no tokens");
  add_per_gpu(record, tokens, time);
  if (record.number("gap_s")) {
    const Fact gap = fact(record, "gap_s");
    if (!gap.value) {
      add_broken(record, "gap", "1", gap.why);
    } else {
      add(record, figure("gap", "1", *gap.value / time.median,
                         "share of the step in which no stream of a rank was at work", false));
    }
  }
  if (const auto joules = positive(record, "joules_per_sample"); joules && tokens.value) {
    add(record, figure("tokens_per_joule", "tokens/J", *tokens.value / *joules,
                       "of the devices, waiting between steps included", true));
  }
}

}  // namespace stepmark
