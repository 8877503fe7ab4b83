// SPDX-License-Identifier: Apache-2.0
// Median times as tab-separated values, for a shell: case, seconds, lower and upper bound. Tabs and
// line ends of names become blanks, since the format knows no quotes.
#include <fmt/format.h>

#include <algorithm>

#include "core/utf8.h"
#include "results/record/common_facts.h"
#include "results/views/format/format.h"

namespace stepmark {
namespace {

std::string field(std::string_view raw) {
  std::string text = valid_utf8(raw);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

std::string runs_tsv(std::span<const Run> runs) {
  std::string out = "run_id\tcase_id\tmedian_s\tlower_s\tupper_s\n";
  for (const Run& run : runs) {
    for (const Record& record : run.records) {
      const Summary* time = record.summary(facts::kTimeS);
      if (time == nullptr) continue;
      out += fmt::format("{}\t{}\t{}\t{}\t{}\n", field(run.header.run_id), field(record.case_id),
                         time->median, time->lower, time->upper);
    }
  }
  return out;
}

}  // namespace

FileFormat format_tsv() {
  return {.option = "tsv",
          .help = "Write one row per case, tab-separated",
          .title = "TSV",
          .text = runs_tsv};
}

}  // namespace stepmark
