// SPDX-License-Identifier: Apache-2.0
// Google Benchmark's JSON (--benchmark_format=json). A row of run_type `iteration` is one
// repetition: the mean of its iterations; aggregates are taken where there are no such rows.
// Counters of users are keys among the others and may have any name: only the library's own are
// read.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/stats.h"
#include "results/import/importer.h"
#include "results/import/json_source.h"
#include "results/import/kernel_record.h"

namespace stepmark {
namespace {

using nlohmann::json;

// Rows of one benchmark, in the order of the file.
struct Group {
  int line = 0;
  std::vector<double> times_s;                 // of repetitions
  std::map<std::string, double> aggregates_s;  // "median", "mean"
  std::int64_t repetitions = 0;                // that the aggregates say they are of
  std::optional<double> bytes;                 // of an iteration
  std::string error, skipped, bad_time;
};

double unit_of(const ImportSource& source, int line, const json& row) {
  const std::string unit = JsonSource::text(row, "time_unit");
  for (const auto& [name, seconds] :
       {std::pair{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}}) {
    if (unit == name) return seconds;
  }
  refuse_import(source, line, "time_unit {}: expected ns, us, ms or s",
                JsonSource::shown(row, "time_unit"));
}

// Before 1.5 rows have no run_type, and aggregates only their names' ends.
std::string aggregate_of(const json& row, const std::string& name) {
  const std::string type = JsonSource::text(row, "run_type");
  if (type == "iteration") return {};
  if (type == "aggregate") return JsonSource::text(row, "aggregate_name");
  for (const std::string_view end : {"mean", "median", "stddev", "cv", "BigO", "RMS"}) {
    if (name.ends_with(fmt::format("_{}", end))) return std::string(end);
  }
  return {};
}

std::string base_name(const json& row, const std::string& name, const std::string& aggregate) {
  std::string base = JsonSource::text(row, "run_name");
  if (!base.empty()) return base;
  base = name;
  if (!aggregate.empty() && base.ends_with("_" + aggregate)) {
    base.resize(base.size() - aggregate.size() - 1);
  }
  return base;
}

// The library's rate is over the CPU's time unless the benchmark asks for the clock's.
std::optional<double> bytes_of(const json& row, const std::string& name, double unit) {
  const auto rate = JsonSource::number(row, "bytes_per_second");
  const bool clock = name.find("/real_time") != std::string::npos ||
                     name.find("/manual_time") != std::string::npos;
  const auto time = JsonSource::number(row, clock ? "real_time" : "cpu_time");
  const auto threads = JsonSource::whole(row, "threads").value_or(1);
  if (!rate || !time || threads != 1) return std::nullopt;
  return rate->value * time->value * unit;
}

class GoogleReader {
 public:
  explicit GoogleReader(const ImportSource& source) : source_(source), json_(source) {}

  ImportedFile read() {
    const json* context = JsonSource::find(json_.root(), "context");
    const json* rows = JsonSource::find(json_.root(), "benchmarks");
    if (rows == nullptr || !rows->is_array()) {
      refuse_import(source_, 1,
                    "no list 'benchmarks': expected what --benchmark_format=json prints");
    }
    out_.cut = json_.cut();
    if (out_.cut) out_.remarks.emplace_back("the file ends early: what is whole of it was read");
    out_.tool = "Google Benchmark";
    if (context != nullptr) take_context(*context);
    for (std::size_t i = 0; i < rows->size(); ++i) take_row((*rows)[i], i);
    for (const std::string& name : order_) add_record(name, groups_.at(name));
    return std::move(out_);
  }

 private:
  void take_context(const json& context) {
    const std::string version = JsonSource::text(context, "library_version");
    if (!version.empty()) out_.tool.append(" ").append(version, version.starts_with('v') ? 1 : 0);
    const auto fact = [&](const char* section, const char* name, const std::string& value,
                          bool same) {
      if (!value.empty()) out_.environment.push_back({section, name, value, same});
    };
    fact("placement", "host", JsonSource::text(context, "host_name"), false);
    fact("source", "started", JsonSource::text(context, "date"), false);
    for (const auto& [key, name] : {std::pair{"num_cpus", "cpus"}, {"mhz_per_cpu", "cpu_mhz"}}) {
      const auto value = JsonSource::whole(context, key);
      if (value) fact("hardware", name, std::to_string(*value), true);
    }
    if (JsonSource::text(context, "library_build_type") == "debug") {
      labels_.emplace_back("the benchmark library is a debug build");
    }
    const json* scaling = JsonSource::find(context, "cpu_scaling_enabled");
    if (scaling != nullptr && *scaling == true)
      labels_.emplace_back("CPU frequency scaling was on");
  }

  void take_row(const json& row, std::size_t index) {
    const int line = json_.line(fmt::format("/benchmarks/{}", index));
    const std::string name = JsonSource::text(row, "name");
    if (name.empty()) {
      refuse_import(source_, line,
                    "benchmark {} has no name: expected an object with name and "
                    "real_time",
                    index + 1);
    }
    const std::string aggregate = aggregate_of(row, name);
    // Fitted curves, and percentages in the place of times.
    static constexpr std::array<std::string_view, 5> kNoTimes{"BigO", "RMS", "cv", "stddev", ""};
    const bool no_time = std::find(kNoTimes.begin(), kNoTimes.end(), aggregate) != kNoTimes.end();
    if (no_time && !aggregate.empty()) return;
    const std::string base = base_name(row, name, aggregate);
    const auto [found, added] = groups_.try_emplace(base);
    if (added) order_.push_back(base);
    Group& group = found->second;
    if (group.line == 0) group.line = line;
    if (const json* failed = JsonSource::find(row, "error_occurred");
        failed != nullptr && *failed == true) {
      group.error = JsonSource::text(row, "error_message");
      if (group.error.empty()) group.error = "error_occurred";
      return;
    }
    if (const json* skipped = JsonSource::find(row, "skipped");
        skipped != nullptr && *skipped == true) {
      group.skipped = JsonSource::text(row, "skip_message");
      if (group.skipped.empty()) group.skipped = "skipped";
      return;
    }
    take_time(row, aggregate, line, group);
  }

  void take_time(const json& row, const std::string& aggregate, int line, Group& group) {
    const double unit = unit_of(source_, line, row);
    const auto time = JsonSource::number(row, "real_time");
    if (!time || !(time->value > 0)) {
      group.bad_time = fmt::format("line {}: real_time is {}, no positive number", line,
                                   JsonSource::shown(row, "real_time"));
      return;
    }
    if (aggregate.empty()) {
      group.times_s.push_back(time->value * unit);
      if (!group.bytes) group.bytes = bytes_of(row, JsonSource::text(row, "name"), unit);
    } else {
      group.aggregates_s[aggregate] = time->value * unit;
      group.repetitions = JsonSource::whole(row, "repetitions").value_or(0);
    }
  }

  void add_record(const std::string& name, const Group& group) {
    ToldKernel told{.id = "google-benchmark/" + name,
                    .op = name,
                    .line = group.line,
                    .bytes = group.bytes,
                    .labels = labels_};
    told.labels.emplace_back("not checked, or the file does not say");
    if (!group.times_s.empty()) {
      take_repetitions(group.times_s, told);
    } else {
      take_aggregates(group, told);
    }
    told.no_time = group.bad_time;
    Record record = kernel_record(source_, out_.tool, told);
    if (!group.error.empty() || !group.skipped.empty()) {
      set_outcome(group, record);
    } else if (!group.bad_time.empty() && record.outcome == Outcome::ok) {
      record.labels.push_back(group.bad_time);
    }
    out_.records.push_back(std::move(record));
  }

  static void set_outcome(const Group& group, Record& record) {
    const bool failed = !group.error.empty();
    record.outcome = failed ? Outcome::failed : Outcome::skipped;
    record.reason = failed ? group.error : group.skipped;
    record.summaries.clear();
    record.metrics.clear();
  }

  static void take_repetitions(const std::vector<double>& times, ToldKernel& told) {
    told.count = static_cast<std::int64_t>(times.size());
    told.time_s = quantile(times, 0.5);
    told.mean_s = mean(times);
    told.min_s = *std::min_element(times.begin(), times.end());
    told.max_s = *std::max_element(times.begin(), times.end());
    told.told_time = told.count == 1 ? "mean of the iterations of one repetition"
                                     : fmt::format(
                                           "median of {} repetitions, each the mean of its "
                                           "iterations",
                                           told.count);
  }

  static void take_aggregates(const Group& group, ToldKernel& told) {
    const auto value = [&](const char* name) -> std::optional<double> {
      const auto found = group.aggregates_s.find(name);
      return found == group.aggregates_s.end() ? std::nullopt : std::optional(found->second);
    };
    told.count = std::max<std::int64_t>(0, group.repetitions);
    told.mean_s = value("mean");
    told.time_s = value("median") ? value("median") : told.mean_s;
    told.told_time =
        fmt::format("the tool's {} of its repetitions", value("median") ? "median" : "mean");
  }

  const ImportSource& source_;
  JsonSource json_;
  ImportedFile out_;
  std::vector<std::string> labels_, order_;
  std::map<std::string, Group> groups_;
};

bool recognises(std::string_view content) {
  const auto begin = content.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return begin != std::string_view::npos && content[begin] == '{' &&
         content.find("\"benchmarks\"") != std::string_view::npos &&
         content.find("\"context\"") != std::string_view::npos;
}

ImportedFile read(const ImportSource& source, const ImportOptions&) {
  return GoogleReader(source).read();
}

}  // namespace

Importer importer_google_benchmark() {
  return {.name = "google-benchmark",
          .expects = "the JSON of --benchmark_format=json, with context and benchmarks",
          .recognises = recognises,
          .read = read};
}

}  // namespace stepmark
