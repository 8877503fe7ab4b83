// SPDX-License-Identifier: Apache-2.0
// Family `step`: rates and utilisation of a whole training step. Model FLOPs are counted twice: as
// PaLM does, every query against every key, and with attention counted causally, where a query sees
// half of them. The first is what is published; at long sequences it counts work that no causal
// kernel does, so that its utilisation can exceed 1 although nothing is wrong.
#include "results/families/step.h"

#include <fmt/format.h>

#include "core/metrics.h"
#include "results/families/family.h"
#include "results/families/figures.h"
#include "results/normalise/rates.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::step;

constexpr double kTera = 1e12;

// What FLOPs are counted, and what a utilisation and a rate of them are called.
struct Count {
  normalise::Flops which;
  const char* flops;
  const char* utilization;
  const char* rate;  // nullptr: none
};
constexpr Count kModel{normalise::Flops::model, names::kModelFlops, "mfu", "tflops_per_gpu"};
constexpr Count kCausal{normalise::Flops::model_causal, names::kModelFlopsCausal, "mfu_causal",
                        "tflops_per_gpu_causal"};
constexpr Count kHardware{normalise::Flops::hardware, names::kHardwareFlops, "hfu", nullptr};

// NaN where something is unknown.
double utilization_of(const Record& record, const Count& count, double gpus, double seconds) {
  return flops_utilization(positive(record, count.flops).value_or(0), seconds,
                           positive(record, names::kPeakFlopsPerS).value_or(0) * gpus);
}

std::string over_one(const Record& record, const Count& count, double value, double gpus,
                     double seconds) {
  const std::string source = record.text(names::kPeakSource);
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
  const std::string why = record.text(names::kPeakUnknown);
  return "dense peak of the device is unknown" + (why.empty() ? why : ": " + why);
}

// Whose peak, at which power and clock it is specified, and at which the time was taken; nothing
// where the record does not say whose.
std::string peak_note(const Record& record, double peak) {
  const std::string source = record.text(names::kPeakSource);
  if (source.empty()) return {};
  std::string note = fmt::format("of {:g} TFLOP/s ({})", peak / kTera, source);
  const auto append = [&](const char* words, const char* name, const char* unit) {
    if (const auto value = positive(record, name)) {
      note += fmt::format("{} {:g} {}", words, *value, unit);
    }
  };
  append(", specified at", names::kPeakPowerW, "W");
  append(", SM clock", names::kPeakSmClockMhz, "MHz");
  append("; taken at a power cap of", facts::kPowerLimitW, "W");
  append(", SM clock", facts::kSmClockMhz, "MHz");
  return note;
}

void add_utilization(Record& record, const Count& count, double gpus, const Summary& time) {
  const auto flops = positive(record, count.flops);
  const auto peak = positive(record, names::kPeakFlopsPerS);
  if (!flops || !peak) {
    add(record,
        not_available(count.utilization, "1",
                      peak ? fmt::format("{} is unknown", count.flops) : unknown_peak(record)));
    return;
  }
  const double value = utilization_of(record, count, gpus, time.median);
  if (value > 1) {
    add_broken(record, count.utilization, "1", over_one(record, count, value, gpus, time.median));
    return;
  }
  Metric metric = metric_of(normalise::utilization(count.which, measured(time), flops, peak, gpus));
  if (metric.value) metric.note = peak_note(record, *peak);
  add(record, metric);
}

void add_flops_rate(Record& record, const Count& count, double gpus, const Summary& time) {
  const auto flops = positive(record, count.flops);
  add(record,
      flops ? rate(count.rate, "TFLOP/s", *flops / gpus / kTera, time)
            : not_available(count.rate, "TFLOP/s", fmt::format("{} is unknown", count.flops)));
}

// A rate of tokens, of which there may be none and be nothing wrong.
void add_tokens(Record& record, const normalise::Figure& figure, const Fact& tokens) {
  if (tokens.value && *tokens.value > 0) {
    add(record, metric_of(figure));
  } else if (tokens.value) {
    add(record, not_available(std::string(figure.definition->name),
                              std::string(figure.definition->unit), "no tokens"));
  } else {
    add_broken(record, std::string(figure.definition->name), std::string(figure.definition->unit),
               tokens.why);
  }
}

// Figures per GPU: none of them without a number of GPUs.
void add_per_gpu(Record& record, const Fact& tokens, const Summary& time) {
  const Fact gpus = fact(record, names::kGpus);
  if (!gpus.value || *gpus.value <= 0) {
    const std::string why = gpus.value ? "number 'gpus' is 0" : gpus.why;
    add_broken(record, "tokens_per_s_per_gpu", "tokens/s", why);
    for (const Count* count : {&kModel, &kCausal}) add_broken(record, count->rate, "TFLOP/s", why);
    for (const Count* count : {&kModel, &kCausal, &kHardware})
      add_broken(record, count->utilization, "1", why);
    return;
  }
  add_tokens(record, normalise::tokens_per_s_per_gpu(measured(time), tokens.value, gpus.value),
             tokens);
  for (const Count* count : {&kModel, &kCausal}) add_flops_rate(record, *count, *gpus.value, time);
  for (const Count* count : {&kModel, &kCausal, &kHardware})
    add_utilization(record, *count, *gpus.value, time);
}

// Older records do not say, and one rank waits for nobody.
void add_waiting(Record& record) {
  const std::string unknown = record.text(names::kWaitingUnknown);
  if (!unknown.empty()) return add(record, not_available("waiting", "s", unknown));
  if (!record.number(names::kWaitingS)) return;
  const Fact waiting = fact(record, names::kWaitingS);
  if (!waiting.value) return add_broken(record, "waiting", "s", waiting.why);
  std::string note = "mean over ranks of standing still in transfers until the last rank came";
  const auto rank = record.number(names::kWaitedForRank);
  const auto of_it = record.number(names::kWaitedForS);
  if (rank && of_it && *waiting.value > 0) {
    note += fmt::format("; rank {:g} came last for {:.0f} % of it", *rank,
                        100 * *of_it / *waiting.value);
  }
  if (const auto error = record.number(names::kClockErrorS)) {
    note += *error > 0 ? fmt::format("; clocks of ranks aligned to within {:.3g} us", *error * 1e6)
                       : std::string("; all ranks read one clock");
  }
  add(record, figure("waiting", "s", *waiting.value, std::move(note), false));
}

void derive_step(Record& record, const Summary& time) {
  const Fact tokens = fact(record, names::kTokensPerStep);
  add(record, duration("step_time", "s", 1.0, time));
  add_tokens(record, normalise::tokens_per_s(measured(time), tokens.value), tokens);
  add_per_gpu(record, tokens, time);
  if (record.number(names::kGapS)) {
    const Fact gap = fact(record, names::kGapS);
    if (!gap.value) {
      add_broken(record, "gap", "1", gap.why);
    } else {
      add(record, figure("gap", "1", *gap.value / time.median,
                         "share of the step in which no stream of a rank was at work", false));
    }
  }
  add_waiting(record);
  if (const auto joules = positive(record, facts::kJoulesPerSample); joules && tokens.value) {
    add(record, figure("tokens_per_joule", "tokens/J", *tokens.value / *joules,
                       "of the devices, waiting between steps included", true));
  }
}

Table table() {
  return {.heading = "Steps",
          .columns = {{"step", {{From::name}}, true},
                      {"time", {{From::median}}},
                      {"±95 %", {{From::interval}}},
                      {"tokens/s", {{From::metric, "tokens_per_s"}}},
                      {"per GPU", {{From::metric, "tokens_per_s_per_gpu"}}},
                      {"TFLOP/s/GPU", {{From::metric, "tflops_per_gpu"}}},
                      {"MFU", {{From::metric, "mfu", Show::share}}},
                      {"causal", {{From::metric, "mfu_causal", Show::share}}},
                      {"HFU", {{From::metric, "hfu", Show::share}}},
                      {"check", {{From::checks}}, true}},
          .lines = {{"GEMMs by {}, attention by {}",
                     {{From::text, names::kGemmEngine}, {From::text, names::kAttentionEngine}}},
                    {"no stream at work in {} of the step", {{From::metric, "gap", Show::share}}},
                    {"waiting {}: {}",
                     {{From::metric, "waiting", Show::seconds}, {From::note, "waiting"}}},
                    {"waiting N/A: {}", {{From::missing, "waiting"}}},
                    {"MFU N/A: {}", {{From::missing, "mfu"}}}},
          .footnote = "MFU counts attention in full (PaLM), causal the half that is computed."};
}

Section section() {
  return {
      .place = 1,
      .id = "steps",
      .heading = "Training steps",
      .hint =
          "Time of one whole step: median of the steady state with the half-width of its 95 % "
          "interval; a sample is the maximum over ranks. MFU counts forward and backward "
          "without recomputation, attention of every token with the whole sequence; “causal” "
          "counts only the half of it that a causal model computes. HFU counts the work "
          "really done. N/A where the dense peak is unknown, or where the figure would "
          "exceed 100 %.",
      .columns = {{"step", {{From::name}}, true},
                  {"time", {{From::median}}},
                  {"±95 %", {{From::interval}}},
                  {"tokens/s", {{From::metric, "tokens_per_s"}}},
                  {"tokens/s/GPU", {{From::metric, "tokens_per_s_per_gpu"}}},
                  {"TFLOP/s/GPU", {{From::metric, "tflops_per_gpu"}}},
                  {"TFLOP/s/GPU causal", {{From::metric, "tflops_per_gpu_causal"}}},
                  {"MFU", {{From::metric, "mfu", Show::share}}},
                  {"MFU causal", {{From::metric, "mfu_causal", Show::share}}},
                  {"HFU", {{From::metric, "hfu", Show::share}}},
                  {"checks", {{From::checks}}}},
      .split_heading = "Where the time of a step goes (slowest rank)",
      .split_by = names::kWorkload,
      .figures = figure_columns({}, {{"tokens/s", {{From::metric, "tokens_per_s"}}},
                                     {"MFU", {{From::metric, "mfu", Show::share}}},
                                     {"MFU causal", {{From::metric, "mfu_causal", Show::share}}}})};
}

}  // namespace

Family family_step() {
  return {.name = names::kFamily,
          .derive = derive_step,
          .same_numbers = {facts::kRanks, names::kTokensPerStep, names::kGpus, names::kModelFlops,
                           names::kHardwareFlops},
          .same_texts = {names::kWorkload, names::kPlan},
          .table = table(),
          .section = section()};
}

}  // namespace stepmark
