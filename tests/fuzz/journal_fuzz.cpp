// SPDX-License-Identifier: Apache-2.0
// Journals and records from anything: only Error may come out, and what was read is written and
// read back as the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "results/record/journal_lines.h"
#include "results/table/table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stepmark;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto run = parse_journal(text, "fuzz.smk");
    static_cast<void>(run_table(run));
    static_cast<void>(runs_csv(std::span(&run, 1)));
    for (const auto& record : run.records) {
      if (to_json(record_from_json(to_json(record))) != to_json(record)) {
        std::abort();
      }
    }
  } catch (const Error&) {
    return 0;
  }
  return 0;
}
