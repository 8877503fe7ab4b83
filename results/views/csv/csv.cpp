// SPDX-License-Identifier: Apache-2.0
// A row per record and metric; how a row is written is in row.h.
#include "results/views/csv/csv.h"

#include <fmt/format.h>

#include <cmath>

#include "results/record/common_facts.h"
#include "results/views/csv/row.h"
#include "results/views/format/format.h"

namespace stepmark {

namespace {

constexpr std::string_view kHeader =
    "run_id,case_id,family,provenance,outcome,reason,perf_valid,labels,metric,unit,value,lower,"
    "upper,note,median_s,samples,effective_samples,checks_passed,repetition,repetitions,spread\r\n";

using csv::exact;
using csv::Row;

std::string exact(const std::optional<double>& value) { return value ? exact(*value) : ""; }

std::string checks_passed(const Record& record) {
  bool all = true;
  for (const auto& check : record.checks) {
    all = all && check.passed;
  }
  return record.checks.empty() ? "" : all ? "true" : "false";
}

// Of an imported summary: as many as its source says, if it does.
std::string samples_told(const Record& record, const Summary* time) {
  const bool unknown = time == nullptr || (record.is_summary_only() && time->count == 0);
  return unknown ? "" : fmt::format("{}", time->count);
}

// `repetition`: "all" for what a run says of a case, else the number of the one repetition.
std::string record_row(const std::string& run_id, const Record& record, const Metric& metric,
                       std::string_view repetition) {
  std::string labels;
  for (const auto& label : record.labels) {
    labels += fmt::format("{}{}", labels.empty() ? "" : ";", label);
  }
  const auto* time = record.summary(facts::kTimeS);
  Row row;
  row << run_id << record.case_id << record.family << name_of(record.provenance)
      << name_of(record.outcome) << record.reason << (record.perf_valid ? "true" : "false")
      << labels << metric.name << metric.unit << exact(metric.value) << exact(metric.lower)
      << exact(metric.upper) << metric.note << (time == nullptr ? "" : exact(time->median))
      << samples_told(record, time) << (time == nullptr ? "" : exact(time->effective_count))
      << checks_passed(record) << repetition << fmt::format("{}", record.repetitions)
      << (record.repetitions > 1 ? exact(record.spread) : "");
  return row.line();
}

std::string record_rows(const std::string& run_id, const Record& record,
                        std::string_view repetition) {
  if (record.metrics.empty()) {
    return record_row(run_id, record, Metric{}, repetition);
  }
  std::string out;
  for (const auto& metric : record.metrics) {
    out += record_row(run_id, record, metric, repetition);
  }
  return out;
}

}  // namespace

std::string runs_csv(std::span<const Run> runs) {
  std::string out(kHeader);
  for (const auto& run : runs) {
    const auto& id = run.header.run_id;
    for (const auto& record : run.records) {
      out += record_rows(id, record, "all");
    }
    for (const auto& part : run.parts) {
      out += record_rows(id, part, fmt::format("{}", part.repetition));
    }
    for (const auto& missing : run.missing()) {
      if (run.find(missing) == nullptr) {
        out += record_row(id,
                          Record{.case_id = missing,
                                 .outcome = Outcome::not_measured,
                                 .reason = "the run ended before this case"},
                          Metric{}, "all");
      }
    }
  }
  return out;
}

FileFormat format_csv() {
  return {.option = "csv",
          .help = "Write one row per case and metric",
          .title = "CSV",
          .text = runs_csv};
}

}  // namespace stepmark
