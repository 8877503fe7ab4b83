// SPDX-License-Identifier: Apache-2.0
// Other tools' output from anything, as every format that is imported: only Error may come out, all
// figures are finite and without interval, and the journal reads back as it was written.
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/error.h"
#include "hostile_mutator.h"
#include "results/families/read_journal.h"
#include "results/import/import.h"
#include "results/record/chain.h"
#include "results/record/journal_lines.h"
#include "results/views/table/run_table.h"

namespace {

using namespace stepmark;

void require_figures(const Record& record) {
  for (const Metric& metric : record.metrics) {
    if (metric.value && !(std::isfinite(*metric.value) && *metric.value >= 0)) std::abort();
    if (metric.lower || metric.upper) std::abort();
  }
  if (record.provenance != Provenance::imported || record.case_id.empty()) std::abort();
}

void read_back(const Import& run) {
  std::string hash;
  std::string text = chained_line(compact(header_json(run.header, "run")), hash) + "\n";
  for (const Record& record : run.records) {
    text += chained_line(compact(record_line_json(record)), hash) + "\n";
  }
  const auto back = parse_journal(text, "back.smk");
  if (back.records.size() != run.header.cases.size()) std::abort();
  for (const Record& record : run.records) {
    const auto same = back.by_repetition().at({record.case_id, record.repetition});
    if (compact(to_json(*same)) != compact(to_json(record))) std::abort();
    if (run.records.size() > 64) break;  // quadratic
  }
  static_cast<void>(run_table(back));
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  static constexpr std::array<std::string_view, 8> kOpenings{
      "{", "[", "\"", "#  Rank  0 ", "1048576 262144 float ", "\n", "Running x.\n", ","};
  return stepmark::fuzz::mutate(data, size, max_size, seed, kOpenings);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::array sources{ImportSource{.path = "all_reduce.log", .content = text}};
  std::vector<std::string> formats = import_formats();
  formats.emplace_back();  // recognised
  for (const std::string& format : formats) {
    try {
      const Import run = import_files(
          sources, {.format = format, .collective = {}, .ranks = format.empty() ? 0 : 4});
      for (const Record& record : run.records) require_figures(record);
      read_back(run);
    } catch (const Error&) {
    }
  }
  return 0;
}
