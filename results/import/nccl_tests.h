// SPDX-License-Identifier: Apache-2.0
// What the two outputs of nccl-tests share: text (stdout) and JSON (-J). Internal to
// results/import.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/import/collective_record.h"
#include "results/import/importer.h"

namespace stepmark::nccl_tests {

// One test: a collective over some sizes.
struct Test {
  int line = 0;  // where it begins
  std::string collective;
  std::string tool;  // "nccl-tests 2.17.6"
  int ranks = 0;
  int iterations = 0;  // 0: not said
  bool blocking = false;
  std::string validation;  // why nothing was checked, where that is said
  std::vector<std::string> labels;
};

// The bandwidths, time and check of one placement in a row.
struct Half {
  bool in_place = false;
  std::optional<PrintedNumber> time_us, algbw, busbw;
  std::string time_text;  // as printed, for the message where it is no time
  bool cpu_time = false;  // time_us is the CPU's, which issued the calls
  std::optional<double> wrong;
  std::string wrong_text;
  std::optional<double> max_error;  // of old versions, in the place of a count
  std::optional<PrintedNumber> min_us, max_us, p95_us, p99_us, cv_percent;
};

struct Row {
  int line = 0;
  std::int64_t size_bytes = 0;
  std::string dtype, op;  // as the tool calls them
  int root = -1;
  std::vector<Half> halves;
};

[[nodiscard]] Record record_of(const ImportSource& source, const Test& test, const Row& row,
                               const Half& half);
// A row of which only the begin can be read: both its placements, without time.
[[nodiscard]] std::vector<Record> broken_row(const ImportSource& source, const Test& test,
                                             const Row& row, const std::string& why);

// Error where these are not one group of ranks: `singletons` runs of one rank came instead.
[[noreturn]] void refuse_singletons(const ImportSource& source, int line, std::size_t singletons);
// "22501" -> "2.25.1"
[[nodiscard]] std::string nccl_version(std::int64_t code);

[[nodiscard]] ImportedFile read_text(const ImportSource& source, const ImportOptions& options);
[[nodiscard]] ImportedFile read_json(const ImportSource& source, const ImportOptions& options);

// What of a test's collective is asked of the user, once neither log nor file's name has it.
[[nodiscard]] std::string collective_of(const ImportSource& source, const ImportOptions& options,
                                        int line, const std::string& told, int told_line,
                                        const std::string& guessed);
[[nodiscard]] int ranks_of(const ImportSource& source, const ImportOptions& options, int line,
                           int told);
// Facts of the devices that a log lists.
struct Device {
  int rank = 0;
  int group = 0;
  std::string host, name;
};
[[nodiscard]] std::vector<EnvironmentFact> device_facts(const std::vector<Device>& devices);

}  // namespace stepmark::nccl_tests
