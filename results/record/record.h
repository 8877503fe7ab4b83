// SPDX-License-Identifier: Apache-2.0
// A record: everything about one case, enough to recompute its summary and to compare it without
// knowing how it was made. JSON form: results/schema/record.schema.json, docs/file-formats.md.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

inline constexpr int kSchemaVersion = 2;
inline constexpr int kOldestSchemaVersion = 1;  // still read
inline constexpr int kFirstHashedVersion = 2;   // lines carry a running hash (chain.h)

enum class Provenance : std::uint8_t { measured, simulated, projected, imported };
enum class Outcome : std::uint8_t { ok, skipped, failed, not_measured };

// A named list of per-iteration values; the primary one is "time_s" (maximum over ranks).
struct Series {
  std::string name;
  std::string unit;  // "s", "W", ...
  std::vector<double> values;
};

// Summary of the steady part of a series. Every field follows from the samples (see summary.h), but
// in an imported record that came without them: there it is what its source said, NaN (of the count
// 0) for what that did not say, and never an interval.
struct Summary {
  std::string series;
  std::int64_t count = 0;                   // samples kept
  std::int64_t steady_from = 0;             // samples before this index were start-up transient
  double effective_count = 0;               // after autocorrelation
  double median = 0, lower = 0, upper = 0;  // 95 % interval of the median
  double mean = 0, min = 0, max = 0, p95 = 0, p99 = 0, mad = 0;
};

// A figure derived from the summary: value = f(median) with the interval carried through.
struct Metric {
  std::string name;  // "busbw", "algbw", "tokens_per_s", "mfu", "gflops" ...
  std::string unit;  // "GB/s", "tokens/s", "1" ...
  std::optional<double> value, lower, upper;  // nullopt prints as N/A
  std::string note;                           // why it is N/A, or which convention
  bool higher_is_better = true;
};

// Part of a step's time, by category, in seconds (median over the timed steps, slowest rank's
// view).
struct TimePart {
  std::string name;  // "compute", "exposed tp", "waiting tp", "optimizer", "overhead"
  double seconds = 0;
};

// Spans of one step on one rank, for the report's timeline. What a transfer waits for others is a
// span of its own, right before that of the transfer.
inline constexpr const char* kWaitingPhase = "waiting";
struct TimelineSpan {
  std::int32_t rank = 0;
  std::string stream;
  std::string label;
  std::string phase;
  double begin_s = 0, end_s = 0;
};

struct Check {
  std::string name;  // "all elements exact", "loss vs one rank"
  bool passed = false;
  std::string detail;  // "0 of 4,194,304 wrong", "max relative error 3.1e-7 (limit 1e-5)"
};

inline constexpr int kMaxRepetitions = 100;  // of one run

// Label of an imported record without samples, and what stands where they would be needed.
inline constexpr std::string_view kNoSamples = "imported: no samples";

struct Record {
  std::string case_id;  // "collective/all_reduce/fp32/sum/4KiB/out-of-place/world4"
  std::string family;   // kernel | collective | groups | overlap | step
  Provenance provenance = Provenance::measured;
  Outcome outcome = Outcome::ok;
  std::string reason;               // of skipped, failed, not_measured
  bool perf_valid = true;           // false: timings say nothing about performance
  std::vector<std::string> labels;  // "slice", "stopped: budget", "oversubscribed"
  // Facts that results needs to derive metrics and to decide comparability: numbers and texts by
  // name (ranks, size_bytes, bus_factor, model_flops_per_step, peak_flops_per_s, tokens_per_step,
  // plan,
  // ...).
  std::vector<std::pair<std::string, double>> numbers;
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<Series> series;
  std::vector<Summary> summaries;
  std::vector<Metric> metrics;
  std::vector<TimePart> split;
  std::vector<TimelineSpan> timeline;
  std::vector<Check> checks;
  double started_unix_s = 0;
  double wall_s = 0;  // of the whole case, warm-up and checks included
  // Which repetition of the run measured this, from 1: every repetition is a restart of everything
  // the run consists of.
  int repetition = 1;
  // Only of a record that stands for several repetitions (merge.h), never in a journal: how many
  // were measured, and the relative standard deviation of their median times (NaN: unknown).
  int repetitions = 1;
  double spread = 0;

  [[nodiscard]] std::optional<double> number(std::string_view name) const;
  [[nodiscard]] std::string text(std::string_view name) const;  // empty when absent
  [[nodiscard]] const Metric* metric(std::string_view name) const;
  [[nodiscard]] const Summary* summary(std::string_view series) const;
  [[nodiscard]] bool has_samples(std::string_view series) const;
  // Imported, with a median time and none of the samples behind it.
  [[nodiscard]] bool is_summary_only() const;
};

[[nodiscard]] nlohmann::json to_json(const Record& record);
// Strict: wrong types and unknown keys are Error(kUsage) naming the key. NaN/infinity travel as
// null.
[[nodiscard]] Record record_from_json(const nlohmann::json& json);
[[nodiscard]] std::string_view name_of(Provenance provenance);
[[nodiscard]] std::string_view name_of(Outcome outcome);

// What stands where a figure of performance would: "not performance", with what was not of its own.
[[nodiscard]] std::string not_performance(const Record& record);

}  // namespace stepmark
