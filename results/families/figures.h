// SPDX-License-Identifier: Apache-2.0
// Pieces of which metrics are made. Internal to results/record.
//
// A figure never costs a measurement: what a metric needs and does not find, or what comes out of
// it and cannot be, makes that metric N/A with the reason in its note, and leaves a remark on the
// record. Nothing here throws for what a record holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/normalise/figure.h"
#include "results/record/record.h"

namespace stepmark {

// A number of a record, or why there is none that a figure could be made from.
struct Fact {
  std::optional<double> value;
  std::string why;  // "number 'flops' is missing"
};
// Finite and not negative: what counts, sizes and peaks are.
[[nodiscard]] Fact fact(const Record& record, std::string_view name);
// A fact that must be positive to mean something; absent otherwise, without a reason.
[[nodiscard]] std::optional<double> positive(const Record& record, std::string_view name);

// A summary of at least one sample, or one that was imported with a median; else nullptr.
[[nodiscard]] const Summary* usable_summary(const Record& record, std::string_view series);

[[nodiscard]] std::optional<double> if_finite(double value);
// N/A by nature: one rank has no bus, a device without a known peak no utilisation.
[[nodiscard]] Metric not_available(std::string name, std::string unit, std::string why);
// The median with its interval; what follows from it as a metric.
[[nodiscard]] normalise::Measured measured(const Summary& time);
[[nodiscard]] Metric metric_of(const normalise::Figure& figure);
// work / time: the upper time gives the lower rate.
[[nodiscard]] Metric rate(std::string name, std::string unit, double work, const Summary& time);
// time / scale.
[[nodiscard]] Metric duration(std::string name, std::string unit, double scale,
                              const Summary& time);
// A single value, with a note on what it is. Without value or note when it is not finite.
[[nodiscard]] Metric figure(std::string name, std::string unit, double value, std::string note,
                            bool higher_is_better);

// Adds a metric. One without value or reason is no finite number: it is added as `add_broken` does.
void add(Record& record, Metric metric);
// Adds a metric that should have a value and has none: N/A with its reason, and a remark.
void add_broken(Record& record, std::string name, std::string unit, const std::string& why);
// work / time of a fact times `scale`; `none` says why the metric is N/A where the fact is 0.
void add_rate(Record& record, std::string name, std::string unit, const Fact& work, double scale,
              const Summary& time, std::string none);
// Bus bandwidth of moving `bytes` by the collective that the text `op` names over as many ranks as
// the number `ranks` says.
void add_bus_bandwidth(Record& record, std::string name, std::string_view op,
                       std::string_view ranks, const Fact& bytes, const Summary& time);

// Remarks of an earlier derivation are taken away.
void drop_remarks(Record& record);
// Runs `figures` on the record. Whatever it throws, the record keeps its samples and summaries: it
// then has no metrics, and the reason as a remark.
void derive_guarded(Record& record, const std::function<void(Record&)>& figures);

// Of `calls` calls of `bytes` each.
[[nodiscard]] Fact product(Fact bytes, const Fact& calls);
// together / alone.
[[nodiscard]] Metric slowdown(std::string name, const Summary& alone, const Summary& together);
// The first of these series that has no samples; empty where all have.
[[nodiscard]] std::string first_missing(const Record& record,
                                        const std::vector<std::string>& series);
[[nodiscard]] std::string no_samples(const std::string& series);

}  // namespace stepmark
