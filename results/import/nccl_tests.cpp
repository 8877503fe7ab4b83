// SPDX-License-Identifier: Apache-2.0
// nccl-tests: rows of either output as records. Sizes, factors and units are nccl-tests' in
// stepmark too (docs/measuring.md), and its collectives are ours, so that cases have the names of
// ours.
#include "results/import/nccl_tests.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/yaml.h"
#include "results/import/names.h"
#include "results/import/source_facts.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace nccl_tests {
namespace {

constexpr double kMicro = 1e-6;
constexpr double kMostRounding = 0.01;  // of a bandwidth that a time is computed from

std::optional<double> seconds(const std::optional<PrintedNumber>& micro) {
  return micro ? std::optional<double>(micro->value * kMicro) : std::nullopt;
}

ToldCollective identity_of(const Test& test, const Row& row, bool in_place) {
  ToldCollective told{.collective = test.collective,
                      .dtype = dtype_name(row.dtype),
                      .op = reduces(test.collective) ? lower_case(row.op) : std::string(),
                      .placement = in_place ? "in-place" : "out-of-place",
                      .size_bytes = row.size_bytes,
                      .ranks = test.ranks,
                      .line = row.line,
                      .labels = test.labels};
  told.mode = test.blocking ? "waiting after each call" : "back-to-back";
  if (row.root > 0) told.id_end = fmt::format("/root{}", row.root);
  return told;
}

// -C prints the CPU's time in the place of the collective's: that follows from algbw, as far as its
// digits go.
void take_time_of_algbw(const Row& row, const Half& half, ToldCollective& told) {
  if (half.time_us) told.numbers.emplace_back("cpu_time_s", half.time_us->value * kMicro);
  const bool fine = half.algbw && half.algbw->value > 0 &&
                    half.algbw->half_unit / half.algbw->value <= kMostRounding;
  if (!fine) {
    told.no_time = fmt::format(
        "line {}: the file has the CPU's time (-C), and algbw has too few digits for another one",
        row.line);
    return;
  }
  const double time = static_cast<double>(row.size_bytes) / (half.algbw->value * 1e9);
  told.time_s =
      PrintedNumber{.value = time, .half_unit = time * half.algbw->half_unit / half.algbw->value};
  told.labels.emplace_back("time from algbw: the file has the CPU's (-C)");
}

void take_check(const Test& test, const Half& half, ToldCollective& told) {
  if (half.wrong) {
    told.wrong = half.wrong;
    told.check_detail = fmt::format("{} wrong elements (nccl-tests)", half.wrong_text);
  } else if (half.max_error) {
    // No count, and the limit it was held against depends on version and type.
    told.numbers.emplace_back("told_max_error", *half.max_error);
    told.labels.emplace_back("checked by a maximum error, whose limit the file does not say");
  } else {
    told.labels.push_back(test.validation.empty() ? "not checked: the file says N/A"
                                                  : test.validation);
  }
}

}  // namespace

Record record_of(const ImportSource& source, const Test& test, const Row& row, const Half& half) {
  ToldCollective told = identity_of(test, row, half.in_place);
  told.algbw = half.algbw;
  told.busbw = half.busbw;
  told.count = test.iterations;
  if (test.iterations == 0) told.labels.emplace_back("repeats not stated");
  told.told_time = test.iterations > 0
                       ? fmt::format("mean of {} calls and of all ranks", test.iterations)
                       : "mean of calls and of all ranks";
  if (half.cpu_time) {
    take_time_of_algbw(row, half, told);
  } else if (half.time_us && half.time_us->value > 0) {
    told.time_s = scaled(*half.time_us, kMicro);
  } else {
    told.no_time =
        fmt::format("line {}: the time is '{}', no positive number", row.line, half.time_text);
  }
  told.min_s = seconds(half.min_us);
  told.max_s = seconds(half.max_us);
  told.p95_s = seconds(half.p95_us);
  told.p99_s = seconds(half.p99_us);
  if (half.cv_percent) told.numbers.emplace_back("told_cv_percent", half.cv_percent->value);
  told.texts.emplace_back(facts::source::kUnknown, "transport, algorithm, clocks, start-up cut");
  take_check(test, half, told);
  return collective_record(source, test.tool, told);
}

std::vector<Record> broken_row(const ImportSource& source, const Test& test, const Row& row,
                               const std::string& why) {
  std::vector<Record> out;
  for (const bool in_place : {false, true}) {
    ToldCollective told = identity_of(test, row, in_place);
    told.no_time = fmt::format("line {}: {}", row.line, why);
    out.push_back(collective_record(source, test.tool, told));
  }
  return out;
}

void refuse_singletons(const ImportSource& source, int line, std::size_t singletons) {
  if (singletons > 1) {
    refuse_import(source, line,
                  "{} one-rank runs came instead of one run of {} ranks: every process believed to "
                  "be alone (rank 0), and nothing crossed a link. Build nccl-tests with MPI=1 and "
                  "start it with the mpirun of that MPI, or give one process all GPUs (-g)",
                  singletons, singletons);
  }
  refuse_import(source, line,
                "a run of one rank: nothing crosses a link, and its bandwidth is no collective's. "
                "Run nccl-tests on two GPUs at least (-g 2, or MPI=1 and mpirun)");
}

std::string nccl_version(std::int64_t code) {
  const bool old = code < 10000;  // up to 2.8: 2804
  const std::int64_t major = old ? code / 1000 : code / 10000;
  return fmt::format("{}.{}.{}", major, old ? code / 100 % 10 : code / 100 % 100, code % 100);
}

std::string collective_of(const ImportSource& source, const ImportOptions& options, int line,
                          const std::string& told, int told_line, const std::string& guessed) {
  std::string asked;
  if (!options.collective.empty()) {
    asked = collective_name(options.collective);
    STEPMARK_REQUIRE(!asked.empty(), "--collective '{}': expected one of {}", options.collective,
                     known_collectives());
  }
  if (!told.empty()) {
    std::string name = collective_name(told);
    if (name.empty()) name = collective_named_in(told);
    if (name.empty()) {
      refuse_import(source, told_line,
                    "the test is '{}', which is no collective; expected one of {}", told,
                    known_collectives());
    }
    if (!asked.empty() && asked != name) {
      refuse_import(source, told_line,
                    "the file says {}, --collective says {}: leave the option out", name, asked);
    }
    return name;
  }
  if (!asked.empty()) return asked;
  if (!guessed.empty()) return guessed;
  std::string named = collective_named_in(std::filesystem::path(source.path).filename().string());
  if (named.empty()) {
    refuse_import(
        source, line,
        "neither the log nor the file's name says which collective this table is of (logs "
        "of nccl-tests before 2.17 do not); say it with --collective NAME, one of {}",
        known_collectives());
  }
  return named;
}

int ranks_of(const ImportSource& source, const ImportOptions& options, int line, int told) {
  if (told > 0 && options.ranks > 0 && told != options.ranks) {
    refuse_import(source, line, "the file lists {} ranks, --ranks says {}: leave the option out",
                  told, options.ranks);
  }
  if (told > 0) return told;
  if (options.ranks > 0) return options.ranks;
  refuse_import(source, line,
                "no line says how many ranks there were ('#  Rank 0 ... device 0 ...' is missing); "
                "say it with --ranks N");
}

std::vector<EnvironmentFact> device_facts(const std::vector<Device>& devices) {
  std::map<std::string, int> names;
  std::set<std::string> hosts;
  for (const Device& device : devices) {
    ++names[device.name];
    hosts.insert(device.host);
  }
  std::vector<EnvironmentFact> out;
  for (const auto& [name, count] : names) {
    out.push_back({"hardware", "accelerators", fmt::format("{} x {}", count, name)});
  }
  if (!devices.empty()) {
    out.push_back({"hardware", "hosts", std::to_string(hosts.size())});
    out.push_back({"placement", "host names", fmt::format("{}", fmt::join(hosts, ", ")), false});
  }
  return out;
}

}  // namespace nccl_tests

namespace {

bool is_json(std::string_view content) {
  const auto begin = content.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return begin != std::string_view::npos && content[begin] == '{';
}

bool recognises(std::string_view content) {
  const auto has = [&](std::string_view text) { return content.find(text) != std::string::npos; };
  if (is_json(content)) return has("\"out_of_place\"") || has("\"average_bus_band");
  return (has("algbw") && has("busbw")) || has("# nccl-tests version") || has("# nThread ");
}

ImportedFile read(const ImportSource& source, const ImportOptions& options) {
  return is_json(source.content) ? nccl_tests::read_json(source, options)
                                 : nccl_tests::read_text(source, options);
}

}  // namespace

Importer importer_nccl_tests() {
  return {.name = "nccl-tests",
          .expects = "a header line with size, count, type, time, algbw and busbw, or JSON of -J",
          .recognises = recognises,
          .read = read};
}

}  // namespace stepmark
