// SPDX-License-Identifier: Apache-2.0
// Walks the columns and lines that a family describes as data, and decides how each kind of value
// looks. Remarks have a column of marks with a legend, or lines below where a table has none.
#include "results/views/table/family_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/units.h"
#include "results/record/common_facts.h"
#include "results/views/table/format.h"
#include "results/views/table/remarks.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

// One row: a record, or one item of it.
struct Row {
  const Record& record;
  std::string item;
  Remarks& remarks;
};

std::string name_of_case(const Record& record) {
  const std::string title = record.text(facts::kTitle);
  return title.empty() ? record.case_id : title;
}

std::optional<double> finite(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::string shown(const std::optional<double>& value, Show show) {
  switch (show) {
    case Show::plain:
      return format_number(value);
    case Show::bytes:
      return finite(value) ? format_bytes(*value) : kNotAvailable;
    case Show::seconds:
      return value ? format_time(*value) : kNotAvailable;
    case Show::microseconds:
      return value ? format_time(*value * 1e-6) : kNotAvailable;
    case Show::share:
      return format_percent(value);
  }
  return kNotAvailable;
}

std::optional<double> number_of(const Value& value, const Record& record, const std::string& name) {
  if (value.from == From::number) return record.number(name);
  const Metric* metric = record.metric(name);
  return metric == nullptr ? std::nullopt : metric->value;
}

std::string note_of(const Record& record, const std::string& name) {
  const Metric* metric = record.metric(name);
  return metric == nullptr ? std::string() : metric->note;
}

std::string cell(const Value& value, const Row& row) {
  const Record& record = row.record;
  const std::string name = with_item(value.name, row.item);
  switch (value.from) {
    case From::metric:
    case From::number:
      return shown(number_of(value, record, name), value.show);
    case From::text:
      return record.text(name);
    case From::note:
    case From::missing:
      return note_of(record, name);
    case From::item:
      return row.item;
    case From::name:
      return name_of_case(record);
    case From::median:
      return format_time(time_of(record).median);
    case From::interval:
      return format_half_width(time_of(record));
    case From::p99:
      return format_time(time_of(record).p99);
    case From::samples:
      return format_samples(record, time_of(record));
    case From::checks:
      return format_checks(record);
    case From::remarks:
      return row.remarks.marks(record);
  }
  return {};
}

std::string cell(const Column& column, const Row& row) {
  std::string out;
  for (const Value& value : column.values) {
    if (&value != column.values.data()) out += ' ';
    out += cell(value, row);
  }
  return out;
}

// Whether there is something to say of it. What remarks say already is not said again.
bool has(const Value& value, const Row& row) {
  const std::string name = with_item(value.name, row.item);
  switch (value.from) {
    case From::metric:
    case From::number:
      return number_of(value, row.record, name).has_value();
    case From::missing: {
      const Metric* metric = row.record.metric(name);
      if (metric == nullptr || metric->value) return false;
      const std::vector<std::string> remarked = row.remarks.texts(row.record);
      return std::none_of(remarked.begin(), remarked.end(),
                          [&](const std::string& text) { return text.ends_with(metric->note); });
    }
    default:
      return !cell(value, row).empty();
  }
}

std::string line_of(const Line& line, const Row& row) {
  std::string out = line.words;
  std::size_t from = 0;
  for (const Value& value : line.values) {
    const std::size_t place = out.find("{}", from);
    if (place == std::string::npos) break;
    const std::string text = cell(value, row);
    out.replace(place, 2, text);
    from = place + text.size();
  }
  return out;
}

std::string split_of(const Record& record) {
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

bool has_remarks_column(const Table& table) {
  return std::any_of(table.columns.begin(), table.columns.end(), [](const Column& column) {
    return std::any_of(column.values.begin(), column.values.end(),
                       [](const Value& value) { return value.from == From::remarks; });
  });
}

// What stands below the table of one of its records.
std::string below(const Table& table, const Row& row) {
  std::string out;
  const auto say = [&](const std::string& text) {
    out += wrapped(fmt::format("  {}: {}", name_of_case(row.record), text), 4);
  };
  if (!row.record.split.empty()) say(split_of(row.record));
  for (const Line& line : table.lines) {
    if (!line.values.empty() && has(line.values.front(), row)) say(line_of(line, row));
  }
  if (has_remarks_column(table)) return out;
  for (const std::string& text : row.remarks.texts(row.record)) say(text);
  return out;
}

// Unknown counts as none: records are sorted by it.
double sort_key(const Record& record, const std::string& number) {
  return finite(record.number(number)).value_or(0);
}

// Records under their headings, in the order in which those come.
std::vector<std::pair<std::string, Records>> blocks_of(const Records& records, const Table& table) {
  std::vector<std::pair<std::string, Records>> blocks;
  std::map<std::string, std::size_t> known;
  for (const Record* record : records) {
    const std::string heading =
        table.heading_of == nullptr ? table.heading : table.heading_of(*record);
    const auto [place, is_new] = known.try_emplace(heading, blocks.size());
    if (is_new) blocks.emplace_back(heading, Records{});
    blocks[place->second].second.push_back(record);
  }
  for (auto& [heading, block] : blocks) {
    if (table.sorted_by.empty()) continue;
    std::stable_sort(block.begin(), block.end(), [&](const Record* a, const Record* b) {
      return sort_key(*a, table.sorted_by) < sort_key(*b, table.sorted_by);
    });
  }
  return blocks;
}

std::string block_text(const std::string& heading, const Records& records, const Family& family,
                       const std::vector<std::string>& common) {
  Remarks remarks(common);
  std::vector<TextTable::Column> columns;
  for (const Column& column : family.table.columns) {
    columns.push_back({column.title, column.is_text ? Align::left : Align::right});
  }
  TextTable table(columns);
  std::string lines;
  for (const Record* record : records) {
    for (const std::string& item : items_of(family, *record)) {
      const Row row{.record = *record, .item = item, .remarks = remarks};
      std::vector<std::string> cells;
      for (const Column& column : family.table.columns) cells.push_back(cell(column, row));
      table.add(std::move(cells));
    }
    lines += below(family.table, {.record = *record, .item = {}, .remarks = remarks});
  }
  return fmt::format("{}\n{}{}{}", fit(heading, kTableWidth), table.text(), remarks.legend(),
                     lines);
}

// In line with the lines above it, where there are such.
std::string footnote_of(const Table& table) {
  return has_remarks_column(table) ? wrapped(table.footnote, 2)
                                   : "  " + wrapped(table.footnote, 4, kTableWidth - 2);
}

}  // namespace

std::string family_table(const Run& run, const Family& family) {
  const std::vector<std::string> common = common_labels(run);
  std::string out;
  for (const auto& [heading, records] : blocks_of(measured(run, family.name), family.table)) {
    out += block_text(heading, records, family, common);
    if (family.table.footnote.empty()) out += "\n";
  }
  if (!out.empty() && !family.table.footnote.empty()) out += footnote_of(family.table) + "\n";
  return out;
}

}  // namespace stepmark
