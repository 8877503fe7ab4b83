// SPDX-License-Identifier: Apache-2.0
// Journals from anything: only Error may come out, whatever is read can be shown and compared, and
// it is written and read back as the same. Random changes die at the first hash, so that the
// mutator mostly writes the hashes anew; and it makes what random bytes seldom are: deep, long,
// huge.
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>

#include "core/error.h"
#include "results/compare/compare.h"
#include "results/families/read_journal.h"
#include "results/record/chain.h"
#include "results/record/journal_lines.h"
#include "results/views/csv/csv.h"
#include "results/views/json/comparison_json.h"
#include "results/views/json/run_json.h"
#include "results/views/report/report_data.h"
#include "results/views/table/comparison_table.h"
#include "results/views/table/run_table.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using namespace stepmark;

// The lines with hashes that fit, as far as they are objects.
std::string rechained(std::string_view text) {
  std::string out;
  std::string hash;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = std::string(text.substr(0, end));
    if (const auto parts = split_chained(line)) {
      line = std::string(parts->body) + "}";
    }
    out += line.size() > 2 && line.back() == '}' ? chained_line(line, hash) : line;
    out += end < text.size() ? "\n" : "";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// Something in the place of a number, or anywhere.
void insert_extreme(std::string& text, std::mt19937& random) {
  if (text.empty()) {
    return;
  }
  const auto depth = std::size_t{1} << (random() % 17);
  const std::array<std::string, 14> values = {"1e308",
                                              "-1e308",
                                              "1e-320",
                                              "-0.0",
                                              "1e999",
                                              "9223372036854775808",
                                              "-1",
                                              "0",
                                              "null",
                                              "true",
                                              "1e18",
                                              "\"\"",
                                              "[" + std::string(depth, ',') + "]",
                                              std::string(depth, '[') + std::string(depth, ']')};
  auto begin = random() % text.size();
  for (std::size_t i = 0;
       i < text.size() && std::isdigit(static_cast<unsigned char>(text[begin])) == 0; ++i) {
    begin = (begin + 1) % text.size();
  }
  auto end = begin;
  while (end < text.size() && std::strchr("0123456789.eE+-", text[end]) != nullptr) {
    ++end;
  }
  text.replace(begin, end - begin, values.at(random() % values.size()));
}

void show(const Run& run) {
  static_cast<void>(run_table(run));
  static_cast<void>(runs_csv(std::span(&run, 1)));
  static_cast<void>(run_json(run).dump(2));
  static_cast<void>(report_data(std::span(&run, 1)).dump());
}

void compare_with_itself(const Run& run) {
  auto other = run;
  other.header.run_id += "-other";
  for (auto& record : other.records) {
    record.started_unix_s += 1;
  }
  try {
    const auto comparison = compare(
        std::vector{RunSide{.label = "a", .runs = {run}}, RunSide{.label = "b", .runs = {other}}});
    static_cast<void>(comparison_table(comparison));
    static_cast<void>(to_json(comparison).dump());
  } catch (const Error&) {  // samples that say the runs are one
  }
}

// What was read and is written again reads as the same.
void write_and_read(const Run& run) {
  std::string hash;
  auto header = run.header;
  header.schema_version = kSchemaVersion;
  auto text = chained_line(compact(header_json(header, "run")), hash) + "\n";
  for (const auto& record : run.records) {
    for (const auto* one : run.repetitions(record.case_id)) {
      text += chained_line(compact(record_line_json(*one)), hash) + "\n";
    }
  }
  const auto back = parse_journal(text, "back.smk");
  if (back.records.size() != run.records.size()) {
    std::abort();
  }
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    if (compact(to_json(back.records[i])) != compact(to_json(run.records[i]))) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  std::mt19937 random(seed);
  std::string text;
  if (random() % 3 != 0) {
    size = LLVMFuzzerMutate(data, size, max_size);
  }
  text.assign(reinterpret_cast<const char*>(data), size);
  if (random() % 2 == 0) {
    insert_extreme(text, random);
  }
  if (random() % 8 != 0) {
    text = rechained(text);
  }
  text.resize(std::min(text.size(), max_size));
  std::memcpy(data, text.data(), text.size());
  return text.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  bool strict = false;
  try {
    strict = parse_journal(text, "fuzz.smk").damaged_lines.empty();
  } catch (const Error&) {
  }
  try {
    const auto run = parse_journal(text, "fuzz.smk", {.accept_damaged = true});
    if (strict && !run.damaged_lines.empty()) {
      std::abort();
    }
    show(run);
    compare_with_itself(run);
    if (run.damaged_lines.empty()) {  // a label of damage changes its place among others
      write_and_read(run);
    }
  } catch (const Error&) {
    if (strict) {
      std::abort();
    }
  }
  return 0;
}
