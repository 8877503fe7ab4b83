// SPDX-License-Identifier: Apache-2.0
// What the blocks of a run's table share: which records, and what is remarked on them. Internal to
// results/views/table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/record/journal.h"

namespace stepmark {

using Records = std::vector<const Record*>;

[[nodiscard]] Records measured(const Run& run, std::string_view family);
// Summary of the times; NaN where there is none.
[[nodiscard]] const Summary& time_of(const Record& record);
// Labels that every measured case of the run has are said once, below the tables.
[[nodiscard]] std::vector<std::string> common_labels(const Run& run);

// Whatever keeps a figure from being a plain measurement is said beside it: a letter in the table,
// its meaning below.
class Remarks {
 public:
  explicit Remarks(std::vector<std::string> common) : common_(std::move(common)) {}

  [[nodiscard]] std::vector<std::string> texts(const Record& record) const;
  [[nodiscard]] std::string marks(const Record& record);
  [[nodiscard]] std::string legend() const;

 private:
  std::vector<std::string> common_;
  std::vector<std::string> known_;
};

}  // namespace stepmark
