// SPDX-License-Identifier: Apache-2.0
// A record of the family `kernel` from what is told; what is not has no figures.
#include "results/import/kernel_record.h"

#include <cmath>
#include <limits>

#include "results/families/derive.h"
#include "results/families/kernel.h"
#include "results/import/collective_record.h"
#include "results/import/source_facts.h"
#include "results/record/common_facts.h"

namespace stepmark {

Record kernel_record(const ImportSource& source, const std::string& tool, const ToldKernel& told) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Record record{.case_id = fmt::format("kernel/{}", told.id),
                .family = facts::kernel::kFamily,
                .labels = told.labels};
  record.texts = {{facts::kTitle, told.id}, {facts::kernel::kOp, told.op}};
  if (!told.shape.empty()) record.texts.emplace_back(facts::kernel::kShape, told.shape);
  record.texts.emplace_back(facts::source::kToldTime, told.told_time);
  if (told.bytes) record.numbers.emplace_back(facts::kernel::kBytes, *told.bytes);
  if (told.flops) record.numbers.emplace_back(facts::kernel::kFlops, *told.flops);
  add_source(record, source, tool, told.line);
  if (!told.time_s || !(*told.time_s > 0) || !std::isfinite(*told.time_s)) {
    set_not_measured(
        record, told.no_time.empty() ? fmt::format("line {}: no time", told.line) : told.no_time);
    return record;
  }
  record.labels.push_back(fmt::format("time: {}", told.told_time));
  set_time(record, told.count, *told.time_s, told.min_s.value_or(kNaN), told.max_s.value_or(kNaN));
  if (told.mean_s) record.summaries.front().mean = *told.mean_s;
  derive(record);
  return record;
}

}  // namespace stepmark
