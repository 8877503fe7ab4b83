// SPDX-License-Identifier: Apache-2.0
// Medians of the first five repetitions are listed: enough to see an outlier, few enough for a
// line.
#include "results/views/table/repetitions_table.h"

#include <fmt/format.h>

#include "results/views/table/format.h"
#include "results/views/table/remarks.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

constexpr std::size_t kMediansShown = 5;

std::string medians(const std::vector<const Record*>& parts) {
  std::string out;
  std::size_t shown = 0;
  for (const Record* part : parts) {
    if (shown++ == kMediansShown) return out + " ...";
    const std::string text = part->outcome == Outcome::ok ? format_time(time_of(*part).median)
                                                          : std::string(name_of(part->outcome));
    out += fmt::format("{}{}", out.empty() ? "" : ", ", text);
  }
  return out;
}

}  // namespace

std::string repetitions_table(const Run& run) {
  if (run.header.repetitions < 2 && run.parts.empty()) return {};
  TextTable table(
      {{"repetitions of", Align::left}, {"measured"}, {"spread"}, {"median of each", Align::left}});
  for (const Record& record : run.records) {
    const auto parts = run.repetitions(record.case_id);
    int measured = 0;
    for (const Record* part : parts) measured += part->outcome == Outcome::ok ? 1 : 0;
    if (measured == 0) continue;
    table.add({record.case_id, fmt::format("{} of {}", measured, run.header.repetitions),
               format_spread(record), medians(parts)});
  }
  if (table.empty()) return {};
  return fmt::format("Repetitions\n{}", table.text()) +
         wrapped(
             "Each is a restart of the whole job. Times above are geometric means of the "
             "repetitions' medians; ±95 % is Student's interval over repetitions; spread is the "
             "relative standard deviation of the medians.",
             2) +
         "\n";
}

}  // namespace stepmark
