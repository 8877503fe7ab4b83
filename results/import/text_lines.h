// SPDX-License-Identifier: Apache-2.0
// Logs as lines and words. A log of a parallel job is seldom what one program printed: launchers
// put ranks in front of lines, and others write in between. Internal to results/import.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

struct TextLine {
  int number;             // from 1
  std::string_view text;  // without line break, carriage return and the launcher's prefix
  bool whole = true;      // false: the file ends in it without a line break
};

// Prefixes of mpirun --tag-output and --timestamp-output ("[1,0]<stdout>:"), of srun --label ("0:
// "), of kubectl, docker and syslog (times, pods, hosts) and colours at the ends of a line are
// dropped.
[[nodiscard]] std::vector<TextLine> text_lines(std::string_view content);
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view text);
// Cells of a table whose titles hold single blanks: apart by two blanks or a tab.
[[nodiscard]] std::vector<std::string_view> wide_cells(std::string_view text);
[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::string lower_case(std::string_view text);
// What follows `lead` in `text`; nothing where it does not begin with it.
[[nodiscard]] std::optional<std::string_view> after(std::string_view text, std::string_view lead);

// A number as printed. It stands for all that round to it: value ± half_unit.
struct PrintedNumber {
  double value = 0;
  double half_unit = 0;  // of its last digit
};
// Finite, not negative, and nothing but the number: "nan", "1e999" and "-3" are none.
[[nodiscard]] std::optional<PrintedNumber> printed_number(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view text);
[[nodiscard]] PrintedNumber scaled(PrintedNumber number, double factor);

}  // namespace stepmark
