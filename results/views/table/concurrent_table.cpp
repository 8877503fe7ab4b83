// SPDX-License-Identifier: Apache-2.0
#include "results/views/table/concurrent_table.h"

#include <fmt/format.h>

#include <map>

#include "core/units.h"
#include "results/views/table/format.h"
#include "results/views/table/remarks.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

std::string title_of(const Record& record) {
  const std::string title = record.text("title");
  return title.empty() ? record.case_id : title;
}

std::optional<double> value_of(const Record& record, const std::string& metric) {
  const Metric* found = record.metric(metric);
  return found == nullptr ? std::nullopt : found->value;
}

std::string time_cell(const Record& record, const std::string& metric) {
  const auto value = value_of(record, metric);
  return value ? format_time(*value) : kNotAvailable;
}

std::string number_cell(const Record& record, const std::string& metric) {
  return format_number(value_of(record, metric));
}

std::string fact_cell(const Record& record, const char* number) {
  const auto value = record.number(number);
  return value ? format_number(*value) : kNotAvailable;
}

std::vector<std::string> axes_of(const Record& record) {
  std::vector<std::string> axes(1);
  for (const char c : record.text("axes")) {
    if (c == ',') {
      axes.emplace_back();
    } else {
      axes.back() += c;
    }
  }
  return axes;
}

}  // namespace

std::string groups_table(const Run& run) {
  Remarks remarks(common_labels(run));
  TextTable table({{"groups of", Align::left},
                   {"each", Align::left},
                   {"alone"},
                   {"together"},
                   {"slowdown"},
                   {"busbw GB/s"},
                   {"together"},
                   {"check", Align::left},
                   {"note", Align::left}});
  for (const auto* record : measured(run, "groups")) {
    for (const std::string& axis : axes_of(*record)) {
      const std::string what =
          fmt::format("{} {} {}", axis, record->text(axis + "_op"),
                      format_bytes(record->number(axis + "_size_bytes").value_or(0)));
      table.add({title_of(*record), what, time_cell(*record, axis + "_alone"),
                 time_cell(*record, axis + "_together"), number_cell(*record, axis + "_slowdown"),
                 number_cell(*record, axis + "_busbw_alone"),
                 number_cell(*record, axis + "_busbw_together"), format_checks(*record),
                 remarks.marks(*record)});
    }
  }
  return table.empty() ? std::string{}
                       : fmt::format("Groups\n{}{}\n", table.text(), remarks.legend());
}

std::string overlap_table(const Run& run) {
  std::vector<std::string> order;
  std::map<std::string, Records> blocks;
  for (const auto* record : measured(run, "overlap")) {
    Records& block = blocks[record->text("product")];
    if (block.empty()) order.push_back(record->text("product"));
    block.push_back(record);
  }
  std::string out;
  for (const std::string& product : order) {
    Remarks remarks(common_labels(run));
    TextTable table({{"beside it", Align::left},
                     {"product"},
                     {"other"},
                     {"overlap"},
                     {"product x"},
                     {"other x"},
                     {"exposed"},
                     {"check", Align::left},
                     {"note", Align::left}});
    for (const auto* record : blocks[product]) {
      table.add(
          {title_of(*record), time_cell(*record, "compute_alone"), time_cell(*record, "comm_alone"),
           format_percent(value_of(*record, "overlap_efficiency")),
           number_cell(*record, "compute_slowdown"), number_cell(*record, "comm_slowdown"),
           time_cell(*record, "exposed_comm"), format_checks(*record), remarks.marks(*record)});
    }
    out += fmt::format("{}\n{}{}", fit("Overlap with products " + product, kTableWidth),
                       table.text(), remarks.legend());
  }
  if (out.empty()) return out;
  return out +
         wrapped(
             "overlap: share of the shorter side that was hidden; x: slowdown of a side; "
             "exposed: time of both together less the product's alone",
             2) +
         "\n";
}

std::string device_table(const Run& run) {
  TextTable table({{"device while sampled", Align::left},
                   {"power W"},
                   {"most"},
                   {"SM MHz"},
                   {"least"},
                   {"°C"},
                   {"J/sample"},
                   {"throttled", Align::left}});
  for (const auto& record : run.records) {
    if (record.outcome != Outcome::ok || !record.number("telemetry_samples")) continue;
    const std::string reasons = record.text("throttle_reasons");
    table.add({record.case_id, fact_cell(record, "gpu_power_w"),
               fact_cell(record, "gpu_power_w_max"), fact_cell(record, "gpu_sm_clock_mhz"),
               fact_cell(record, "gpu_sm_clock_mhz_min"),
               fact_cell(record, "gpu_temperature_c_max"), fact_cell(record, "joules_per_sample"),
               reasons.empty() ? "no" : reasons});
  }
  return table.empty()
             ? std::string{}
             : fmt::format("Devices (worst of all ranks; energy of all)\n{}\n", table.text());
}

}  // namespace stepmark
