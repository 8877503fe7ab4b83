// SPDX-License-Identifier: Apache-2.0
#include "import_sample.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "results/families/read_journal.h"
#include "results/record/journal_lines.h"
#include "synthetic.h"

namespace stepmark {
namespace {

std::vector<nlohmann::json> journal_of(const Import& run) {
  std::vector<nlohmann::json> lines{header_json(run.header, "run")};
  for (const Record& record : run.records) lines.push_back(record_line_json(record));
  lines.push_back(
      {{"type", "end"}, {"exit_code", static_cast<int>(run.code)}, {"reason", run.reason}});
  return lines;
}

}  // namespace

ImportSource sample(const std::string& name) {
  ImportSource source = read_import_source(std::string(STEPMARK_SAMPLES) + "/" + name);
  source.path = name;
  return source;
}

Import import_sample(const std::string& name, const ImportOptions& options) {
  return import_files(std::vector{sample(name)}, options);
}

const Record& find(const Import& run, const std::string& case_id) {
  const auto found = std::find_if(run.records.begin(), run.records.end(),
                                  [&](const Record& one) { return one.case_id == case_id; });
  if (found != run.records.end()) return *found;
  std::string all;
  for (const Record& one : run.records) all.append("\n").append(one.case_id);
  ADD_FAILURE() << "no " << case_id << " among" << all;
  static const Record none;
  return none;
}

std::string import_error(const std::vector<ImportSource>& sources, const ImportOptions& options) {
  try {
    (void)import_files(sources, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "accepted";
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::vector<std::string> lines_of_journal(const Import& run) {
  std::vector<std::string> out;
  for (const auto& line : journal_of(run)) out.push_back(compact(line));
  return out;
}

Run read_back(const Import& run) {
  return parse_journal(synthetic::chained(journal_of(run)), "imported.smk");
}

}  // namespace stepmark
