// SPDX-License-Identifier: Apache-2.0
// Whatever it is, it goes through a journal's lines, so that figures follow from it as they do from
// any other.
#include "harness/cli/beside.h"

#include <string_view>

#include "core/error.h"
#include "harness/spec/data_files.h"
#include "results/families/read_journal.h"
#include "results/import/import.h"
#include "results/record/chain.h"
#include "results/record/journal_lines.h"

namespace stepmark {
namespace {

constexpr std::string_view kPublished = "published:";

Run run_of(const Import& imported, const std::string& path) {
  std::string hash;
  std::string text = chained_line(compact(header_json(imported.header, "run")), hash) + "\n";
  for (const Record& record : imported.records) {
    text += chained_line(compact(record_line_json(record)), hash) + "\n";
  }
  return parse_journal(text, path);
}

}  // namespace

Run read_beside(const std::string& name) {
  Run run;
  if (name.starts_with(kPublished)) {
    const ImportSource source =
        read_import_source(find_file("published", name.substr(kPublished.size())));
    run = run_of(import_files(std::span(&source, 1), {.format = "published"}), name);
  } else if (name.ends_with(".smk")) {
    run = read_journal(name);
  } else {
    const ImportSource source = read_import_source(name);
    run = run_of(import_files(std::span(&source, 1)), name);
  }
  run.warnings.clear();  // such as a missing last line: it is no run that could have been cut
  run.beside = true;
  return run;
}

}  // namespace stepmark
