// SPDX-License-Identifier: Apache-2.0
// nvbandwidth, text and JSON (-j): a matrix per test case, in GB/s or ns. The size of its copies
// stands in few files, so that the time is that of 1 GB at the rate that was measured.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "results/import/importer.h"
#include "results/import/json_source.h"
#include "results/import/kernel_record.h"
#include "results/import/text_lines.h"

namespace stepmark {
namespace {

using nlohmann::json;

constexpr double kBasis = 1e9;  // bytes
constexpr std::size_t kMostCells = 4096;

// A test case: what it moves, and its cells, rows by columns.
struct TestCase {
  int line = 0;
  std::string name, description, status;
  std::vector<std::string> columns, rows;
  std::vector<std::vector<std::string>> cells;
  std::vector<int> lines;  // of the rows
  std::optional<PrintedNumber> sum;
  std::string buffer;  // of the copies, where the file says it
};

class Cells {
 public:
  Cells(const ImportSource& source, ImportedFile& out) : source_(source), out_(out) {}

  void add(const TestCase& test) {
    const std::string status = lower_case(test.status);
    if (test.cells.empty() || status == "waived" || status == "error" || status == "not found") {
      return add_without(test, status);
    }
    double sum = 0, rounding = 0;
    for (std::size_t r = 0; r < test.cells.size(); ++r) {
      for (std::size_t c = 0; c < test.cells[r].size(); ++c) {
        if (test.cells[r][c] == "N/A") continue;  // no such pair
        const auto value = printed_number(test.cells[r][c]);
        sum += value ? value->value : 0;
        rounding += value ? value->half_unit : 0;
        add_cell(test, r, c, value);
      }
    }
    check_sum(test, sum, rounding);
  }

 private:
  void add_cell(const TestCase& test, std::size_t r, std::size_t c,
                const std::optional<PrintedNumber>& value) {
    const bool latency = test.description.find("(ns)") != std::string::npos;
    const std::string column = c < test.columns.size() ? test.columns[c] : std::to_string(c);
    const std::string row = r < test.rows.size() ? test.rows[r] : std::to_string(r);
    ToldKernel told{.id = fmt::format("nvbandwidth/{}/row{}.column{}{}", test.name, row, column,
                                      test.buffer.empty() ? "" : "/" + test.buffer),
                    .op = test.name,
                    .shape = test.description,
                    .line = r < test.lines.size() ? test.lines[r] : test.line};
    if (value && value->value > 0) {
      told.time_s = latency ? value->value * 1e-9 : kBasis / (value->value * 1e9);
    }
    told.no_time = fmt::format("line {}: '{}' is no positive number", told.line,
                               test.cells[r][c].substr(0, 32));
    told.told_time = latency ? "as printed, the median of few trials"
                             : "of 1 GB at the rate, the median of few trials";
    told.flops = 0;  // a copy
    told.bytes = latency ? 0 : kBasis;
    if (!latency) {
      told.labels.emplace_back(
          "time and bytes are those of 1 GB at the rate: the file has the rate alone");
    }
    told.labels.emplace_back("repeats not stated");
    told.labels.emplace_back("not checked, or the file does not say");
    out_.records.push_back(kernel_record(source_, out_.tool, told));
  }

  // A case without cells.
  void add_without(const TestCase& test, const std::string& status) {
    ToldKernel told{.id = fmt::format("nvbandwidth/{}", test.name),
                    .op = test.name,
                    .shape = test.description,
                    .line = test.line};
    Record record = kernel_record(source_, out_.tool, told);
    record.reason = fmt::format("line {}: nvbandwidth says {}", test.line,
                                test.status.empty() ? "nothing of it: cut" : test.status);
    if (status == "waived") record.outcome = Outcome::skipped;
    if (status == "error") record.outcome = Outcome::failed;
    if (status.empty() || status == "running") out_.cut = true;
    out_.records.push_back(std::move(record));
  }

  void check_sum(const TestCase& test, double sum, double rounding) {
    if (!test.sum || std::abs(test.sum->value - sum) <= rounding + test.sum->half_unit + 1e-5 * sum)
      return;
    out_.remarks.push_back(
        fmt::format("line {}: {}: the sum {:.6g} is not that of its cells, {:.6g}", test.line,
                    test.name, test.sum->value, sum));
  }

  const ImportSource& source_;
  ImportedFile& out_;
};

std::string number_text(const json& value) {
  return value.is_string()   ? std::string(trimmed(value.get_ref<const std::string&>()))
         : value.is_number() ? value.dump()
                             : std::string("null");
}

ImportedFile read_json(const ImportSource& source) {
  const JsonSource file(source);
  ImportedFile out{.tool = "nvbandwidth", .cut = file.cut()};
  const json* root = JsonSource::find(file.root(), "nvbandwidth");
  const json* tests = root == nullptr ? nullptr : JsonSource::find(*root, "testcases");
  if (tests == nullptr || !tests->is_array()) {
    refuse_import(source, 1,
                  "no 'nvbandwidth' with a list 'testcases': expected what nvbandwidth -j prints");
  }
  const std::string version = JsonSource::text(*root, "version");
  if (!version.empty()) out.tool.append(" ").append(version, version.starts_with('v') ? 1 : 0);
  const std::string driver = JsonSource::text(*root, "Driver Version");
  if (!driver.empty()) out.environment.push_back({"software", "driver", driver});
  const std::string error = JsonSource::text(*root, "error");
  if (!error.empty()) out.remarks.push_back("nvbandwidth said: " + error);
  Cells cells(source, out);
  for (std::size_t i = 0; i < tests->size(); ++i) {
    const json& one = (*tests)[i];
    TestCase test{.line = file.line(fmt::format("/nvbandwidth/testcases/{}", i)),
                  .name = JsonSource::text(one, "name"),
                  .description = JsonSource::text(one, "bandwidth_description"),
                  .status = JsonSource::text(one, "status"),
                  .sum = JsonSource::number(one, "sum")};
    if (test.name.empty()) refuse_import(source, test.line, "test case {} has no name", i + 1);
    if (const auto bytes = JsonSource::whole(one, "bufferSize"))
      test.buffer = fmt::format("buffer{}", *bytes);
    const json* matrix = JsonSource::find(one, "bandwidth_matrix");
    std::size_t count = 0;
    for (const json& row : matrix != nullptr && matrix->is_array() ? *matrix : json::array()) {
      test.cells.emplace_back();
      for (const json& cell : row.is_array() ? row : json::array()) {
        if (++count > kMostCells * kMostCells) {
          refuse_import(source, test.line, "a matrix of more than {} cells",
                        kMostCells * kMostCells);
        }
        test.cells.back().push_back(number_text(cell));
      }
    }
    cells.add(test);
  }
  return out;
}

class TextReader {
 public:
  explicit TextReader(const ImportSource& source) : source_(source) {}

  ImportedFile read() {
    out_.tool = "nvbandwidth";
    for (const TextLine& line : text_lines(source_.content)) take(line.number, trimmed(line.text));
    finish();
    return std::move(out_);
  }

 private:
  void take(int number, std::string_view text) {
    const auto words = words_of(text);
    if (words.empty()) return;
    if (const auto version = after(text, "nvbandwidth Version:")) {
      const std::string_view value = trimmed(*version);
      out_.tool = fmt::format("nvbandwidth {}", value.starts_with('v') ? value.substr(1) : value);
    } else if (const auto driver = after(text, "Driver Version:")) {
      out_.environment.push_back({"software", "driver", std::string(trimmed(*driver))});
    } else if (words[0] == "Device" && words.size() > 2 && words[1].ends_with(':')) {
      add_device(std::string(trimmed(text.substr(text.find(':') + 1))));
    } else if (words[0] == "Running" && words.size() == 2) {
      finish();
      std::string_view name = words[1];
      if (name.ends_with('.')) name.remove_suffix(1);
      test_ = TestCase{.line = number, .name = std::string(name)};
    } else if (test_) {
      take_matrix(number, text, words);
    }
  }

  void take_matrix(int number, std::string_view text, const std::vector<std::string_view>& words) {
    if (text.ends_with("(GB/s)") || text.ends_with("(ns)")) {
      test_->description = std::string(text);
    } else if (words[0] == "SUM" && words.size() == 3) {
      test_->sum = printed_number(words[2]);
      test_->status = "Passed";
    } else if (words[0].starts_with("Waived")) {
      test_->status = "Waived";
    } else if (words[0].starts_with("ERROR")) {
      test_->status = "Error";
      out_.remarks.push_back(fmt::format("line {}: {}", number, text));
    } else if (test_->columns.empty() && all_whole(words) && !test_->description.empty()) {
      for (const std::string_view word : words) test_->columns.emplace_back(word);
    } else if (!test_->columns.empty() && test_->status.empty() && whole_number(words[0]) &&
               words.size() == test_->columns.size() + 1) {
      test_->rows.emplace_back(words[0]);
      test_->lines.push_back(number);
      test_->cells.emplace_back(words.begin() + 1, words.end());
    }
  }

  static bool all_whole(const std::vector<std::string_view>& words) {
    return words.size() <= kMostCells &&
           std::all_of(words.begin(), words.end(),
                       [](std::string_view word) { return whole_number(word).has_value(); });
  }

  void add_device(std::string name) {
    name = name.substr(0, name.find(" ("));
    for (EnvironmentFact& fact : out_.environment) {
      if (fact.name == "accelerators" && fact.value != name) fact.value += "; " + name;
      if (fact.name == "accelerators") return;
    }
    out_.environment.push_back({"hardware", "accelerators", name});
  }

  void finish() {
    if (!test_) return;
    const TestCase test = std::move(*test_);
    test_.reset();
    Cells(source_, out_).add(test);
    if (test.cells.empty() || !test.status.empty()) return;
    out_.cut = true;
    out_.remarks.push_back(
        fmt::format("line {}: {} has no SUM line: the file was cut", test.line, test.name));
  }

  const ImportSource& source_;
  ImportedFile out_;
  std::optional<TestCase> test_;
};

bool recognises(std::string_view content) {
  const auto has = [&](std::string_view text) {
    return content.find(text) != std::string_view::npos;
  };
  return has("nvbandwidth Version") || (has("\"nvbandwidth\"") && has("\"testcases\"")) ||
         (has("\nRunning ") && has("\nmemcpy "));
}

ImportedFile read(const ImportSource& source, const ImportOptions&) {
  const auto begin = source.content.find_first_not_of(" \t\r\n");
  const bool is_json = begin != std::string::npos && source.content[begin] == '{';
  return is_json ? read_json(source) : TextReader(source).read();
}

}  // namespace

Importer importer_nvbandwidth() {
  return {.name = "nvbandwidth",
          .expects =
              "'nvbandwidth Version: v0.8' and matrices below 'Running TEST.', or the JSON of -j",
          .recognises = recognises,
          .read = read};
}

}  // namespace stepmark
