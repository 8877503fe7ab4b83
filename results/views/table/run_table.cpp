// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/number_text.h"
#include "core/units.h"
#include "results/record/journal.h"
#include "results/views/table/concurrent_table.h"
#include "results/views/table/format.h"
#include "results/views/table/remarks.h"
#include "results/views/table/repetitions_table.h"
#include "results/views/table/run_table.h"
#include "results/views/table/text_table.h"

namespace stepmark {

namespace {

// Time of a single call after a barrier.
std::string isolated_time(const Record& record) {
  const Metric* metric = record.metric("isolated");
  return metric != nullptr && metric->value ? format_time(*metric->value * 1e-6) : kNotAvailable;
}

// Unknown counts as none: sizes are sorted by.
double size_of(const Record& record) {
  const double size = record.number("size_bytes").value_or(0);
  return std::isfinite(size) ? size : 0;
}

std::string collective_block_name(const Record& record) {
  const auto placement = record.text("placement");
  const auto op = record.text("op");
  return fmt::format("{} {}{}{}{} on {} ranks", record.text("collective"), record.text("dtype"),
                     op.empty() ? "" : " " + op, placement.empty() ? "" : ", ", placement,
                     number_text("{}", record.number("ranks").value_or(0)));
}

std::string collectives(const Run& run) {
  std::vector<std::string> order;
  std::map<std::string, Records> blocks;
  for (const auto* record : measured(run, "collective")) {
    const auto name = collective_block_name(*record);
    if (blocks[name].empty()) {
      order.push_back(name);
    }
    blocks[name].push_back(record);
  }
  std::string out;
  for (const auto& name : order) {
    Remarks remarks(common_labels(run));
    TextTable table({{"size"},
                     {"time"},
                     {"±95 %"},
                     {"p99"},
                     {"algbw GB/s"},
                     {"busbw GB/s"},
                     {"isolated"},
                     {"samples"},
                     {"check", Align::left},
                     {"note", Align::left}});
    auto& block = blocks[name];
    std::stable_sort(block.begin(), block.end(),
                     [](const Record* a, const Record* b) { return size_of(*a) < size_of(*b); });
    for (const auto* record : block) {
      const auto& time = time_of(*record);
      table.add({format_bytes(size_of(*record)), format_time(time.median), format_half_width(time),
                 format_time(time.p99), format_metric(*record, "algbw"),
                 format_metric(*record, "busbw"), isolated_time(*record),
                 format_samples(*record, time), format_checks(*record), remarks.marks(*record)});
    }
    out += fmt::format("{}\n{}{}\n", fit(name, kTableWidth), table.text(), remarks.legend());
  }
  return out;
}

// What the peaks measured in the same run allow.
std::string floor_time(const Record& record) {
  const Metric* metric = record.metric("floor");
  return metric != nullptr && metric->value ? format_time(*metric->value) : kNotAvailable;
}

std::string kernels(const Run& run) {
  Remarks remarks(common_labels(run));
  TextTable table({{"kernel", Align::left},
                   {"time"},
                   {"±95 %"},
                   {"floor"},
                   {"GFLOP/s"},
                   {"GB/s"},
                   {"roofline"},
                   {"check", Align::left},
                   {"note", Align::left}});
  for (const auto* record : measured(run, "kernel")) {
    const auto& time = time_of(*record);
    const auto* roofline = record->metric("roofline");
    const auto title = record->text("title");
    table.add({title.empty() ? record->case_id : title, format_time(time.median),
               format_half_width(time), floor_time(*record), format_metric(*record, "gflops"),
               format_metric(*record, "gbps"),
               format_percent(roofline == nullptr ? std::nullopt : roofline->value),
               format_checks(*record), remarks.marks(*record)});
  }
  return table.empty() ? std::string{}
                       : fmt::format("Kernels\n{}{}\n", table.text(), remarks.legend());
}

std::string step_split(const Record& record) {
  double whole = 0;
  for (const auto& part : record.split) {
    whole += part.seconds;
  }
  std::string out;
  for (const auto& part : record.split) {
    out +=
        fmt::format("{}{} {} ({})", out.empty() ? "" : " | ", part.name, format_time(part.seconds),
                    format_percent(whole > 0 ? std::optional(part.seconds / whole) : std::nullopt));
  }
  return out;
}

std::string steps(const Run& run) {
  TextTable table({{"step", Align::left},
                   {"time"},
                   {"±95 %"},
                   {"tokens/s"},
                   {"per GPU"},
                   {"TFLOP/s/GPU"},
                   {"MFU"},
                   {"causal"},
                   {"HFU"},
                   {"check", Align::left}});
  const Remarks remarks(common_labels(run));
  std::string below;
  for (const auto* record : measured(run, "step")) {
    const auto& time = time_of(*record);
    const auto* mfu = record->metric("mfu");
    const auto share = [&](std::string_view name) {
      const auto* metric = record->metric(name);
      return format_percent(metric == nullptr ? std::nullopt : metric->value);
    };
    const auto title = record->text("title");
    const auto name = title.empty() ? record->case_id : title;
    table.add({name, format_time(time.median), format_half_width(time),
               format_metric(*record, "tokens_per_s"),
               format_metric(*record, "tokens_per_s_per_gpu"),
               format_metric(*record, "tflops_per_gpu"), share("mfu"), share("mfu_causal"),
               share("hfu"), format_checks(*record)});
    if (!record->split.empty()) {
      below += wrapped(fmt::format("  {}: {}", name, step_split(*record)), 4);
    }
    if (const auto product = record->text("product_engine"); !product.empty()) {
      below += wrapped(fmt::format("  {}: products by {}, attention by {}", name, product,
                                   record->text("attention_engine")),
                       4);
    }
    if (const auto* gap = record->metric("gap"); gap != nullptr && gap->value) {
      below += wrapped(fmt::format("  {}: no stream at work in {} of the step", name,
                                   format_percent(gap->value)),
                       4);
    }
    const std::vector<std::string> remarked = remarks.texts(*record);
    const auto is_remarked = [&](const std::string& why) {
      return std::any_of(remarked.begin(), remarked.end(),
                         [&](const std::string& text) { return text.ends_with(why); });
    };
    if (mfu != nullptr && !mfu->value && !is_remarked(mfu->note)) {
      below += wrapped(fmt::format("  {}: MFU N/A: {}", name, mfu->note), 4);
    }
    for (const auto& text : remarked) {
      below += wrapped(fmt::format("  {}: {}", name, text), 4);
    }
  }
  if (table.empty()) return {};
  return fmt::format(
      "Steps\n{}{}  MFU counts attention in full (PaLM), causal the half that is computed.\n\n",
      table.text(), below);
}

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
    if (fact.group == "hardware") {
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
  return damage(run) + collectives(run) + groups_table(run) + overlap_table(run) + kernels(run) +
         steps(run) + device_table(run) + repetitions_table(run) + failed_checks(run) +
         without_result(run) + closing(run);
}

}  // namespace stepmark
