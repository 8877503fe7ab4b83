// SPDX-License-Identifier: Apache-2.0
// A header's titles say what each cell of a row is; a row is one by how it begins, and whole by the
// number of its cells.
#include "results/import/nccl_tests_columns.h"

#include <algorithm>

#include "results/import/names.h"

namespace stepmark::nccl_tests {
namespace {

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_time(std::string_view title) { return title == "time" || title == "cputime"; }

void take_cell(const std::string& title, std::string_view cell, Half& half) {
  const auto number = printed_number(cell);
  if (is_time(title)) {
    half.time_us = number;
    half.time_text = std::string(cell.substr(0, 32));
    half.cpu_time = title == "cputime";
  } else if (title == "algbw") {
    half.algbw = number;
  } else if (title == "busbw") {
    half.busbw = number;
  } else if (title == "#wrong" || title == "wrong") {
    if (number) half.wrong = number->value;
    half.wrong_text = std::string(cell.substr(0, 32));
  } else if (title == "error") {
    if (number) half.max_error = number->value;
  } else if (title == "i_min") {
    half.min_us = number;
  } else if (title == "i_max") {
    half.max_us = number;
  } else if (title == "i_p99") {
    half.p99_us = number;
  } else if (title == "i_cv%") {
    half.cv_percent = number;
  }
}

// A cell of a table: a number, N/A, or one that is none but looks like it ("nan", "inf").
bool is_cell(std::string_view word) {
  if (word == "N/A" || printed_number(word)) return true;
  const bool signless = word.starts_with('-') || word.starts_with('+');
  const std::string_view bare = signless ? word.substr(1) : word;
  return bare == "nan" || bare == "inf" ||
         (!bare.empty() && bare.find_first_not_of("0123456789.eE+-") == std::string_view::npos);
}

void take_before(const Columns& columns, const std::vector<std::string_view>& words, Row& row) {
  for (std::size_t i = 0; i < std::min(columns.before.size(), words.size()); ++i) {
    const std::string& title = columns.before[i];
    if (title == "size") row.size_bytes = whole_number(words[i]).value_or(0);
    if (title == "type") row.dtype = std::string(words[i]);
    if (title == "redop") row.op = std::string(words[i]);
    if (title == "root") {
      const auto root = whole_number(words[i]).value_or(-1);
      row.root = root >= 0 && root < (1 << 20) ? static_cast<int>(root) : -1;
    }
  }
}

bool begins_as_row(const Columns& columns, const std::vector<std::string_view>& words) {
  for (std::size_t i = 0; i < columns.before.size(); ++i) {
    if (i >= words.size()) return i >= 3;  // size, count and type are there
    const std::string& title = columns.before[i];
    const auto number = whole_number(words[i]);
    const bool counts = title == "size" || title == "count";
    if (counts && (!number || *number < 0)) return false;
    if (title == "type" && !is_dtype(words[i])) return false;
  }
  return true;
}

}  // namespace

std::optional<Columns> header_columns(const ImportSource& source, int line,
                                      const std::vector<std::string_view>& words) {
  std::vector<std::string> titles;
  for (const std::string_view word : words) {
    const bool mark = word == "#" && titles.empty();
    if (!mark) titles.emplace_back(titles.empty() && word == "#size" ? "size" : word);
  }
  if (!has(titles, "size") || !has(titles, "type") || !has(titles, "algbw")) return std::nullopt;
  Columns columns;
  for (const std::string& title : titles) {
    if (title == "timestamp") {
      columns.timestamp = true;
    } else if (is_time(title)) {
      columns.halves.push_back({title});
    } else if (columns.halves.empty()) {
      columns.before.push_back(title);
    } else {
      columns.halves.back().push_back(title);
    }
  }
  const bool times = !columns.halves.empty() && columns.halves.size() <= 2 &&
                     std::all_of(columns.halves.begin(), columns.halves.end(),
                                 [](const auto& half) { return has(half, "algbw"); });
  if (!times || columns.before.size() < 3 || columns.before[0] != "size" ||
      !has(columns.before, "count")) {
    refuse_import(source, line,
                  "columns that are none of nccl-tests': expected size, count and type first, then "
                  "time (or cputime), algbw and busbw once or twice");
  }
  return columns;
}

void check_units(const ImportSource& source, int line, const std::vector<std::string_view>& words) {
  for (const std::string_view word : words) {
    const bool known = word == "#" || word == "(B)" || word == "(elements)" || word == "(us)" ||
                       word == "(GB/s)" || word == "(%)" || !word.starts_with('(');
    if (!known) {
      refuse_import(source, line, "a column in {}: expected (B), (elements), (us), (GB/s) or (%)",
                    word);
    }
  }
}

ReadRow row_of(const Columns& columns, int line, const std::vector<std::string_view>& words) {
  ReadRow out;
  if (!begins_as_row(columns, words)) return out;
  out.is_row = true;
  out.row.line = line;
  take_before(columns, words, out.row);
  std::size_t cells = 0;
  for (const auto& half : columns.halves) cells += half.size();
  const std::size_t stamp = columns.timestamp ? 2 : 0;
  const std::size_t first = columns.before.size();
  // Replayed traces have nothing out of place: the first half's columns are blank.
  const bool last_half_only =
      columns.halves.size() == 2 && words.size() == first + columns.halves[1].size() + stamp;
  if (words.size() != first + cells + stamp && !last_half_only) return out;
  std::size_t at = first;
  for (std::size_t h = last_half_only ? 1 : 0; h < columns.halves.size(); ++h) {
    Half half{.in_place = h == 1};
    for (const std::string& title : columns.halves[h]) {
      if (!is_cell(words[at])) return out;
      take_cell(title, words[at++], half);
    }
    out.row.halves.push_back(std::move(half));
  }
  out.whole = true;
  return out;
}

}  // namespace stepmark::nccl_tests
