// SPDX-License-Identifier: Apache-2.0
// Order of a reader's needs: damage first, then figures, what failed, what is missing, and last
// under which conditions all of it was measured.
#include "results/views/table/run_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "results/views/table/device_table.h"
#include "results/views/table/family_table.h"
#include "results/views/table/remarks.h"
#include "results/views/table/repetitions_table.h"
#include "results/views/table/text_table.h"

namespace stepmark {

namespace {

std::string failed_checks(const Run& run) {
  std::string out;
  for (const auto& record : run.records) {
    for (const auto& check : record.checks) {
      if (!check.passed) {
        out += wrapped(fmt::format("  {}: {}: {}", record.case_id, check.name, check.detail), 4);
      }
    }
  }
  return out.empty() ? out : fmt::format("Checks that failed\n{}\n", out);
}

std::string without_result(const Run& run) {
  std::string out;
  for (const auto& record : run.records) {
    if (record.outcome != Outcome::ok) {
      out += wrapped(
          fmt::format("  {}: {}: {}", record.case_id, name_of(record.outcome), record.reason), 4);
    }
  }
  for (const auto& id : run.missing()) {
    if (run.find(id) == nullptr) {
      out += wrapped(fmt::format("  {}: not-measured: the run ended before this case", id), 4);
    }
  }
  return out.empty() ? out : fmt::format("Without result\n{}\n", out);
}

// First of all, since no figure below it can be relied on.
std::string damage(const Run& run) {
  return run.damaged_lines.empty()
             ? std::string{}
             : wrapped(fmt::format("DAMAGED JOURNAL, read because of --accept-damaged: {} of its "
                                   "lines do not fit their hashes (warnings below)",
                                   run.damaged_lines.size()),
                       2) +
                   "\n";
}

// The hashes cannot tell that whole lines are missing at the end; what is missing there can.
std::string unended(const Run& run) {
  return run.ended ? std::string{}
                   : wrapped(
                         "No end line: the run is still under way, was interrupted, or the file "
                         "was cut off",
                         2);
}

std::string closing(const Run& run) {
  const auto& header = run.header;
  const auto measured_count =
      std::count_if(run.records.begin(), run.records.end(),
                    [](const Record& r) { return r.outcome == Outcome::ok; });
  std::string environment;
  for (const auto& fact : header.environment.facts) {
    if (fact.section == "hardware") {
      environment += fmt::format("{}{} {}", environment.empty() ? "" : ", ", fact.name, fact.value);
    }
  }
  auto out =
      wrapped(fmt::format("{} of {} cases measured; {} ranks, backend {}, suite {}", measured_count,
                          header.cases.size(), header.ranks, header.backend, header.suite),
              2);
  out +=
      wrapped(fmt::format("stepmark {} ({}{}, {} build)", header.tool_version, header.git_revision,
                          header.dirty ? ", modified tree" : "", header.build_type),
              2);
  if (!environment.empty()) {
    out += wrapped(fmt::format("Hardware: {}", environment), 2);
  }
  for (const auto& label : common_labels(run)) {
    out += wrapped(fmt::format("All cases: {}", label), 2);
  }
  out += unended(run);
  // What of the suite was left out, or came to the same case.
  if (const auto remarks = header.config.find("remarks");
      remarks != header.config.end() && remarks->is_array()) {
    for (const auto& remark : *remarks) {
      if (remark.is_string()) {
        out += wrapped(fmt::format("Remark: {}", remark.get<std::string>()), 2);
      }
    }
  }
  for (const auto& warning : run.warnings) {
    out += wrapped(fmt::format("Warning: {}", warning), 2);
  }
  out += wrapped(
      "Times are medians of the steady state with the 95 % interval of the median; a sample is the "
      "maximum over ranks. GB = 1e9 bytes, size is per rank or total as nccl-tests counts it.",
      2);
  return out;
}

}  // namespace

std::string run_table(const Run& run) {
  std::string tables;
  for (const Family& family : families()) tables += family_table(run, family);
  return damage(run) + tables + device_table(run) + repetitions_table(run) + failed_checks(run) +
         without_result(run) + closing(run);
}

}  // namespace stepmark
