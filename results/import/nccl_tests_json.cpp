// SPDX-License-Identifier: Apache-2.0
// The JSON of nccl-tests (-J, versions 1 to 3). Its `env` is the whole environment of rank 0, keys
// and tokens included: nothing of it is kept. Early versions misspell the average's key, and leave
// the file open after an error.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "results/import/json_source.h"
#include "results/import/names.h"
#include "results/import/nccl_tests.h"

namespace stepmark::nccl_tests {
namespace {

using nlohmann::json;

constexpr std::int64_t kNewestVersion = 3;

class JsonReport {
 public:
  JsonReport(const ImportSource& source, const ImportOptions& options)
      : source_(source), options_(options), json_(source) {}

  ImportedFile read() {
    out_.tool = "nccl-tests (JSON)";
    out_.cut = json_.cut();
    const json& root = json_.root();
    const json* results = JsonSource::find(root, "results");
    if (results == nullptr || !results->is_array()) {
      refuse_import(source_, 1,
                    "no list 'results': expected the file that nccl-tests wrote with -J{}",
                    json_.cut() ? "; this one ends before its results" : "");
    }
    take_versions(root);
    find_unnamed_wrong(root, *results);
    Test test = test_of(root);
    for (std::size_t i = 0; i < results->size(); ++i) take_row(test, (*results)[i], i);
    take_footer(root);
    return std::move(out_);
  }

 private:
  void take_versions(const json& root) {
    const auto version = JsonSource::whole(root, "version");
    if (!version || *version > kNewestVersion || *version < 1) {
      remark(fmt::format("version {} of the format; 1 to {} are known, and read as such",
                         JsonSource::shown(root, "version"), kNewestVersion));
    }
    if (const auto nccl = JsonSource::whole(root, "nccl_version"); nccl && *nccl > 0) {
      out_.environment.push_back({"software", "nccl", nccl_version(*nccl)});
    }
    const std::string started = JsonSource::text(root, "start_time");
    if (!started.empty()) {
      out_.environment.push_back(
          {"source", "started (local time, zone not stated)", started, false});
    }
  }

  // Name of the program that ran; empty where the arguments name none.
  static std::string program(const json& root) {
    const json* args = JsonSource::find(root, "args");
    if (args == nullptr || !args->is_array() || args->empty() || !(*args)[0].is_string()) return {};
    const std::string path = (*args)[0].get<std::string>();
    const std::string name = path.substr(path.rfind('/') + 1);
    return collective_name(name).empty() ? std::string() : name;
  }

  Test test_of(const json& root) {
    Test test{.line = 1, .tool = out_.tool};
    const json* config = JsonSource::find(root, "config");
    const json none = json::object();
    const json& settings = config == nullptr ? none : *config;
    const int ranks = ranks_from(settings);
    test.collective = collective_of(source_, options_, 1, program(root), 1, {});
    test.ranks = ranks_of(source_, options_, 1, ranks);
    const auto iterations = JsonSource::whole(settings, "iterations").value_or(0);
    test.iterations = static_cast<int>(std::clamp<std::int64_t>(iterations, 0, 1'000'000'000));
    test.blocking = JsonSource::text(settings, "blocking_collectives") == "true";
    if (JsonSource::whole(settings, "validation") == 0) {
      test.validation = "not checked: validation was off (-c 0)";
    }
    if (out_.cut) test.labels.emplace_back("from a file that was cut");
    return test;
  }

  int ranks_from(const json& config) {
    const json* devices = JsonSource::find(config, "devices");
    if (devices == nullptr || !devices->is_array()) return 0;
    std::vector<Device> all;
    for (const json& one : *devices) {
      const auto rank = JsonSource::whole(one, "rank").value_or(0);
      const auto group = JsonSource::whole(one, "group").value_or(0);
      all.push_back({.rank = static_cast<int>(std::clamp<std::int64_t>(rank, 0, 1 << 24)),
                     .group = static_cast<int>(std::clamp<std::int64_t>(group, 0, 1 << 24)),
                     .host = JsonSource::text(one, "hostname"),
                     .name = JsonSource::text(one, "device_info")});
    }
    for (EnvironmentFact& fact : device_facts(all)) out_.environment.push_back(std::move(fact));
    std::set<int> ranks;
    for (const Device& one : all) {
      if (one.group == all.front().group) ranks.insert(one.rank);
    }
    const auto per_process = JsonSource::whole(config, "ngpus").value_or(1) *
                             JsonSource::whole(config, "nthreads").value_or(1);
    if (ranks.size() == 1 && per_process <= 1) refuse_singletons(source_, json_.line("/config"), 1);
    // A process with several GPUs lists the first of them alone.
    const bool firsts =
        per_process > 1 && per_process <= 1 << 10 &&
        std::all_of(ranks.begin(), ranks.end(), [&](int rank) { return rank % per_process == 0; });
    return static_cast<int>(ranks.size()) * (firsts ? static_cast<int>(per_process) : 1);
  }

  void take_row(const Test& test, const json& result, std::size_t index) {
    Row row{.line = json_.line(fmt::format("/results/{}", index)),
            .dtype = JsonSource::text(result, "type"),
            .op = JsonSource::text(result, "redop")};
    const auto size = JsonSource::whole(result, "size");
    if (!size || *size < 0 || row.dtype.empty()) {
      refuse_import(source_, row.line,
                    "result {} has size {} and type {}: expected a number of bytes and a name",
                    index + 1, JsonSource::shown(result, "size"),
                    JsonSource::shown(result, "type"));
    }
    if (*size == 0) {
      remark(fmt::format("line {}: a size of 0 bytes moves nothing: left out", row.line));
      return;
    }
    row.size_bytes = *size;
    const auto root = JsonSource::whole(result, "root").value_or(-1);
    row.root = root >= 0 && root < (1 << 20) ? static_cast<int>(root) : -1;
    Test own = test;
    const auto actual = JsonSource::whole(result, "actual_iterations").value_or(0);
    if (actual > 0 && actual <= 1'000'000'000) own.iterations = static_cast<int>(actual);
    for (const bool in_place : {false, true}) {
      const json* half = JsonSource::find(result, in_place ? "in_place" : "out_of_place");
      if (half == nullptr || half->is_null()) continue;
      const json* each =
          JsonSource::find(result, in_place ? "in_place_per_iter" : "out_of_place_per_iter");
      Half read = half_of(*half, each, in_place);
      if (unnamed_wrong_ > 0) {
        read.wrong = static_cast<double>(unnamed_wrong_);
        read.wrong_text = fmt::format("the test, not this row alone, has {}", unnamed_wrong_);
      }
      out_.records.push_back(record_of(source_, own, row, read));
    }
  }

  static Half half_of(const json& told, const json* each, bool in_place) {
    Half half{.in_place = in_place};
    half.cpu_time = JsonSource::find(told, "cpu_time") != nullptr;
    const char* time = half.cpu_time ? "cpu_time" : "time";
    half.time_us = JsonSource::number(told, time);
    half.time_text = JsonSource::shown(told, time);
    half.algbw = JsonSource::number(told, "alg_bw");
    half.busbw = JsonSource::number(told, "bus_bw");
    if (const auto wrong = JsonSource::number(told, "nwrong")) {
      half.wrong = wrong->value;
      half.wrong_text = fmt::format("{:g}", wrong->value);
    }
    if (each != nullptr) {
      half.min_us = JsonSource::number(*each, "min_us");
      half.max_us = JsonSource::number(*each, "max_us");
      half.p95_us = JsonSource::number(*each, "p95_us");
      half.p99_us = JsonSource::number(*each, "p99_us");
      half.cv_percent = JsonSource::number(*each, "cv_pct");
    }
    return half;
  }

  // Wrong values that no result owns up to are everybody's.
  void find_unnamed_wrong(const json& root, const json& results) {
    const json* bounds = JsonSource::find(root, "out_of_bounds");
    const auto total = bounds == nullptr ? std::nullopt : JsonSource::whole(*bounds, "count");
    if (total.value_or(0) <= 0) return;
    for (const json& result : results) {
      for (const char* placement : {"out_of_place", "in_place"}) {
        const json* half = JsonSource::find(result, placement);
        const auto wrong = half == nullptr ? std::nullopt : JsonSource::number(*half, "nwrong");
        if (wrong && wrong->value > 0) return;
      }
    }
    unnamed_wrong_ = *total;
  }

  void take_footer(const json& root) {
    const json* bounds = JsonSource::find(root, "out_of_bounds");
    if (bounds == nullptr || JsonSource::find(root, "end_time") == nullptr) {
      if (!out_.cut) remark("no end_time or no summary: the test ended early");
      out_.cut = true;
    }
    const json* errors = JsonSource::find(root, "errors");
    if (errors == nullptr || !errors->is_array()) return;
    for (const json& error : *errors) {
      if (!error.is_string() || error.get_ref<const std::string&>().empty()) continue;
      remark("NCCL said: " + error.get<std::string>().substr(0, 200));
    }
  }

  void remark(std::string text) { out_.remarks.push_back(std::move(text)); }

  const ImportSource& source_;
  const ImportOptions& options_;
  JsonSource json_;
  ImportedFile out_;
  std::int64_t unnamed_wrong_ = 0;
};

}  // namespace

ImportedFile read_json(const ImportSource& source, const ImportOptions& options) {
  return JsonReport(source, options).read();
}

}  // namespace stepmark::nccl_tests
