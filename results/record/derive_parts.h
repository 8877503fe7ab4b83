// SPDX-License-Identifier: Apache-2.0
// Pieces of which metrics are made. Internal to results/record.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "results/record/record.h"

namespace stepmark {

[[nodiscard]] Metric not_available(std::string name, std::string unit, std::string why);
// work / time: the upper time gives the lower rate.
[[nodiscard]] Metric rate(std::string name, std::string unit, double work, const Summary& time);
// time / scale.
[[nodiscard]] Metric duration(std::string name, std::string unit, double scale,
                              const Summary& time);
// Error(kUsage) when absent.
[[nodiscard]] double required(const Record& record, std::string_view name);
[[nodiscard]] const Summary& required_summary(const Record& record, std::string_view series);
// A fact that must be positive to mean something; absent otherwise.
[[nodiscard]] std::optional<double> positive(const Record& record, std::string_view name);
[[nodiscard]] std::optional<double> if_finite(double value);

// Families in which several streams are at work.
void derive_groups(Record& record, const Summary& time);
void derive_overlap(Record& record, const Summary& time);

}  // namespace stepmark
