// SPDX-License-Identifier: Apache-2.0
// What nccl-tests prints, versions 2.0 to 2.20: lines with '#' are header, device list and footer
// of a test, others that begin with two whole numbers are rows, and all else is somebody else's.
// Columns are those that the header names, in its order; their widths and number differ between
// versions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "results/import/names.h"
#include "results/import/nccl_tests.h"
#include "results/import/nccl_tests_columns.h"

namespace stepmark::nccl_tests {
namespace {

// A test while its lines come in.
struct Block {
  int line = 0;
  std::string told, version;  // collective as the log names it; version of the tool
  int told_line = 0;
  std::string guessed;
  int iterations = 0;
  bool blocking = false, checks_off = false;
  std::int64_t max_bytes = 0;
  std::vector<Device> devices;
  std::optional<Columns> columns;
  struct Found {
    Row row;
    std::string broken;  // why only its begin could be read
  };
  std::vector<Found> rows;
  int empty_cells = 0;     // halves of rows of 0 bytes, which the footer's average counts
  bool inherited = false;  // the devices are those of the test before
  std::optional<std::int64_t> out_of_bounds;
  std::optional<PrintedNumber> average;
  bool concluded = false;

  [[nodiscard]] bool has_footer() const { return out_of_bounds || average; }
};

class TextReader {
 public:
  TextReader(const ImportSource& source, const ImportOptions& options)
      : source_(source), options_(options) {}

  ImportedFile read() {
    const auto lines = text_lines(source_.content);
    for (const TextLine& line : lines) take(line);
    finish();
    if (singletons_ > 0) refuse_singletons(source_, first_singleton_, singletons_);
    if (!any_table_) {
      refuse_import(source_, 0,
                    "no table of nccl-tests: expected a header line '#  size  count  type ... time "
                    "algbw  busbw'; is it all that the program printed?");
    }
    return std::move(out_);
  }

 private:
  void take(const TextLine& line) {
    const auto words = words_of(line.text);
    if (words.empty()) return;
    if (words[0].starts_with('#')) {
      take_comment(line, words);
    } else if (!take_row(line, words)) {
      take_noise(line);
    }
  }

  // The test that a line of its head belongs to: a table or a footer ends the one before.
  Block& head(int line) {
    if (block_.columns || block_.has_footer()) finish();
    if (block_.line == 0) block_.line = line;
    return block_;
  }

  void take_comment(const TextLine& line, const std::vector<std::string_view>& words) {
    const std::string_view text = trimmed(line.text.substr(line.text.find('#') + 1));
    if (const auto version = after(text, "nccl-tests version ")) {
      const auto parts = words_of(*version);
      Block& block = head(line.number);
      if (!parts.empty()) block.version = std::string(parts[0]);
      for (const std::string_view part : parts) {
        if (const auto code = after(part, "nccl-library=")) add_library(*code);
      }
    } else if (const auto name = after(text, "Collective test starting:")) {
      Block& block = head(line.number);
      block.told = std::string(trimmed(*name));
      block.told_line = line.number;
    } else if (text.starts_with("nThread ")) {
      take_parameters(head(line.number), words);
    } else if (text.starts_with("Blocking Enabled")) {
      block_.blocking = true;
    } else if (words.size() > 1 && words[1] == "Rank") {
      take_device(line, words);
    } else if (auto columns = header_columns(source_, line.number, words)) {
      if (block_.columns) repeat_head(line.number);
      if (block_.line == 0) block_.line = line.number;
      block_.columns = std::move(columns);
      any_table_ = true;
    } else if (block_.columns && text.starts_with("(B)")) {
      check_units(source_, line.number, words);
    } else {
      take_footer(line, text);
    }
  }

  void take_footer(const TextLine& line, std::string_view text) {
    const auto colon = std::min(text.find(':'), text.size());
    const auto values = words_of(text.substr(std::min(colon + 1, text.size())));
    const std::string_view name = trimmed(text.substr(0, colon));
    if (name == "Out of bounds values" && !values.empty()) {
      block_.out_of_bounds = whole_number(values[0]);
    } else if (name == "Avg bus bandwidth" && !values.empty()) {
      block_.average = printed_number(values[0]);
      if (std::find(values.begin(), values.end(), "FAILED") != values.end()) {
        remark(line.number, "the average bus bandwidth is below what NCCL_TESTS_MIN_BW asked for");
      }
    } else if (name == "Collective test concluded") {
      block_.concluded = true;
    } else if (name == "error") {
      remark(line.number, fmt::format("NCCL said: {}", trimmed(text.substr(colon + 1))));
    }
  }

  void add_library(std::string_view code) {
    if (const auto number = whole_number(code); number && *number > 0) {
      add_environment({"software", "nccl", nccl_version(*number)});
    }
  }

  static void take_parameters(Block& block, const std::vector<std::string_view>& words) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      const auto value = whole_number(words[i + 1]);
      if (!value || *value < 0 || *value > 1'000'000'000'000'000) continue;
      const std::string_view before = i > 0 ? words[i - 1] : std::string_view();
      if (words[i] == "iters:" && before != "warmup" && before != "agg") {
        block.iterations = static_cast<int>(std::min<std::int64_t>(*value, 1'000'000'000));
      }
      if (words[i] == "maxBytes") block.max_bytes = *value;
      if (words[i] == "validation:") block.checks_off = *value == 0;
    }
  }

  void take_device(const TextLine& line, const std::vector<std::string_view>& words) {
    Device device;
    std::size_t name_at = words.size();
    for (std::size_t i = 1; i + 1 < words.size(); ++i) {
      const auto number = whole_number(words[i + 1]);
      if (words[i] == "Rank" && number) device.rank = static_cast<int>(*number);
      if (words[i] == "Group" && number) device.group = static_cast<int>(*number);
      if (words[i] == "on" && device.host.empty()) device.host = std::string(words[i + 1]);
      if (words[i].ends_with(']') && name_at == words.size()) name_at = i + 1;
    }
    for (std::size_t i = name_at; i < words.size(); ++i) {
      if (!device.name.empty()) device.name += ' ';
      device.name += words[i];
    }
    head(line.number).devices.push_back(std::move(device));
  }

  // A table under the head of the one before: further cycles, or heads that were cut out.
  void repeat_head(int line) {
    Block next = block_;
    next.line = line;
    next.rows.clear();
    next.empty_cells = 0;
    next.inherited = true;
    next.columns.reset();
    next.out_of_bounds.reset();
    next.average.reset();
    next.concluded = false;
    finish();
    block_ = std::move(next);
  }

  // Whether the line is a row, or the begin of one.
  bool take_row(const TextLine& line, const std::vector<std::string_view>& words) {
    if (!block_.columns || block_.has_footer()) return false;
    ReadRow read = row_of(*block_.columns, line.number, words);
    if (!read.is_row) return false;
    if (!read.whole && !line.whole) {
      read.broken = "the file ends within the row";
    } else if (!read.whole) {
      read.broken = "the row is broken, by output of another process it seems";
    }
    if (read.row.size_bytes == 0) {
      block_.empty_cells += static_cast<int>(read.row.halves.size());
      remark(line.number, "a size of 0 bytes moves nothing: left out");
    } else {
      block_.rows.push_back({.row = std::move(read.row), .broken = std::move(read.broken)});
    }
    return true;
  }

  void take_noise(const TextLine& line) {
    if (line.text.find("_perf") != std::string_view::npos) {
      take_command(collective_named_in(line.text));
    } else if (line.text.starts_with("NCCL version ")) {
      const std::string_view version = words_of(line.text).back();
      add_environment({"software", "nccl", std::string(version.substr(0, version.find('+')))});
    } else if (line.text.find("Test NCCL failure") != std::string_view::npos ||
               line.text.find("Test CUDA failure") != std::string_view::npos) {
      remark(line.number, fmt::format("the test failed: {}", trimmed(line.text)));
    }
  }

  // A command that names one of the programs says what the table below is of; within a table it may
  // be of either.
  void take_command(const std::string& name) {
    if (name.empty()) return;
    if (block_.has_footer()) finish();
    if (!block_.columns) {
      block_.guessed = name;
    } else {
      if (block_.guessed.empty()) block_.guessed = name;
      next_guess_ = name;
    }
  }

  void remark(int line, const std::string& text) {
    out_.remarks.push_back(fmt::format("line {}: {}", line, text));
  }

  void add_environment(EnvironmentFact fact) {
    const auto& known = out_.environment;
    if (std::find(known.begin(), known.end(), fact) == known.end()) {
      out_.environment.push_back(std::move(fact));
    }
  }

  // Ranks of one group; 0 without device lines.
  int ranks(const Block& block) {
    std::set<int> one_group;
    std::set<int> groups;
    std::size_t listed = 0;
    for (const Device& device : block.devices) {
      groups.insert(device.group);
      if (device.group != block.devices.front().group) continue;
      one_group.insert(device.rank);
      ++listed;
    }
    if (listed != one_group.size() && one_group.size() > 1) {
      refuse_import(source_, block.line,
                    "{} lines of devices for {} ranks: the outputs of several runs are mixed; give "
                    "one file per run",
                    listed, one_group.size());
    }
    if (groups.size() > 1) {
      remark(block.line, fmt::format("{} groups at the same time: figures are of one group of {}",
                                     groups.size(), one_group.size()));
    }
    return static_cast<int>(one_group.size());
  }

  // Whether the head is that of processes which each believed to be alone.
  bool take_singletons(const Block& block, int ranks) {
    if (ranks != 1) return false;
    if (singletons_ == 0) first_singleton_ = block.line;
    if (!block.inherited) singletons_ += block.devices.size();  // N heads may stand above N tables
    return true;
  }

  void finish() {
    Block block = std::move(block_);
    block_ = Block{};
    block_.guessed = std::exchange(next_guess_, {});
    const int found = ranks(block);
    if (take_singletons(block, found) || !block.columns) return;
    Test test{.line = block.line,
              .tool = block.version.empty() ? "nccl-tests" : "nccl-tests " + block.version,
              .iterations = block.iterations,
              .blocking = block.blocking};
    test.collective =
        collective_of(source_, options_, block.line, block.told, block.told_line, block.guessed);
    test.ranks = ranks_of(source_, options_, block.line, found);
    if (block.checks_off) test.validation = "not checked: validation was off (-c 0)";
    if (out_.tool.empty() || !block.version.empty()) out_.tool = test.tool;
    for (EnvironmentFact& fact : device_facts(block.devices)) add_environment(std::move(fact));
    judge(block, test);
    add_records(block, test);
  }

  // What the footer says of the whole.
  void judge(const Block& block, Test& test) {
    if (!block.has_footer()) {
      out_.cut = true;
      const std::int64_t reached = block.rows.empty() ? 0 : block.rows.back().row.size_bytes;
      remark(block.line, fmt::format("the test has no footer: it was cut at {} of {} bytes",
                                     reached, block.max_bytes));
      test.labels.emplace_back("from a file that was cut");
    }
    if (!block.average) return;
    double sum = 0;
    double half_units = 0;
    int count = block.empty_cells;
    for (const auto& found : block.rows) {
      if (!found.broken.empty()) return;
      for (const Half& half : found.row.halves) {
        if (!half.busbw) return;
        sum += half.busbw->value;
        half_units += half.busbw->half_unit;
        ++count;
      }
    }
    if (count == 0) return;
    const double mean = sum / count;
    // Theirs is of figures that were not rounded, and is printed with six digits.
    const double rounding = half_units / count + block.average->half_unit + 1e-5 * mean;
    if (std::abs(mean - block.average->value) > rounding) {
      remark(block.line, fmt::format("the footer's average bus bandwidth {:.6g} is not that of its "
                                     "rows, {:.6g}: rows are missing or were changed",
                                     block.average->value, mean));
    }
  }

  void add_records(const Block& block, const Test& test) {
    const bool failed = block.out_of_bounds.value_or(0) != 0;
    bool row_says_so = false;
    for (const auto& found : block.rows) {
      for (const Half& half : found.row.halves) row_says_so |= half.wrong.value_or(0) != 0;
    }
    for (const auto& found : block.rows) {
      if (!found.broken.empty()) {
        for (Record& record : broken_row(source_, test, found.row, found.broken)) {
          out_.records.push_back(std::move(record));
        }
        continue;
      }
      for (Half half : found.row.halves) {
        if (failed && !row_says_so) {  // old versions count for the whole test
          half.wrong = static_cast<double>(*block.out_of_bounds);
          half.wrong_text =
              fmt::format("the test, not this row alone, has {}", *block.out_of_bounds);
        }
        out_.records.push_back(record_of(source_, test, found.row, half));
      }
    }
  }

  const ImportSource& source_;
  const ImportOptions& options_;
  ImportedFile out_;
  Block block_;
  std::string next_guess_;
  std::size_t singletons_ = 0;
  int first_singleton_ = 0;
  bool any_table_ = false;
};

}  // namespace

ImportedFile read_text(const ImportSource& source, const ImportOptions& options) {
  return TextReader(source, options).read();
}

}  // namespace stepmark::nccl_tests
