// SPDX-License-Identifier: Apache-2.0
// What results know of a family of cases: its figures, which facts make two records comparable, and
// what of it is shown. Views decide how a value looks, and ask for no family by name. A family is
// its NAME.h (names of facts), its NAME.cpp (one function of family_list.h) and a line in the list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/families/family_list.h"  // generated: STEPMARK_CASE_FAMILIES(X)
#include "results/record/record.h"

namespace stepmark {

// Where a shown value comes from.
enum class From : std::uint8_t {
  metric,    // the metric of that name
  number,    // the fact of that name
  text,      // the fact of that name
  note,      // of the metric of that name
  missing,   // why the metric of that name has no value; nothing where it has one
  item,      // of Family::items, which this row is of
  name,      // of the case
  median,    // of the time, as the two below
  interval,  // its half-width
  p99,
  samples,
  checks,
  remarks
};
// What it is.
enum class Show : std::uint8_t { plain, bytes, seconds, microseconds, share };

struct Value {
  From from = From::metric;
  std::string name = {};  // "{}" in it stands for the row's item
  Show show = Show::plain;
};

struct Column {
  std::string title;
  std::vector<Value> values;  // a blank between them
  bool is_text = false;
};

// A sentence with "{}" for each value. Not said where the first has none.
struct Line {
  std::string words;
  std::vector<Value> values;
};

// For a terminal.
struct Table {
  std::string heading;
  // Where records of one heading stand in a table of their own.
  std::string (*heading_of)(const Record&) = nullptr;
  std::string sorted_by = {};  // a number
  std::vector<Column> columns = {};
  // Of each record, below: its lines, and remarks where no column has them.
  std::vector<Line> lines = {};
  std::string footnote = {};
};

// Figures against a number, both logarithmic: a drawing per `apart`, a curve per text `line`.
struct Curves {
  std::string against;
  std::vector<std::string> apart;  // texts
  std::string line, dashed;        // a text, and which of its values is drawn dashed
  struct Figure {
    std::string metric, title, unit;
    // Numbers of the records that are drawn as levels, and what they are the rate of.
    std::vector<std::pair<std::string, std::string>> levels = {};
  };
  std::vector<Figure> figures;
};

// A metric as bars, one per case.
struct Bars {
  std::string metric;
  Line line;            // said of a bar
  std::string unknown;  // the section's hint where no record has the metric
};

// A section of the report page; families that name the same one share it.
struct Section {
  int place = 0;  // sections stand in this order
  std::string id, heading;
  std::string hint;
  std::vector<Column> columns = {};  // of its table; none: no table
  std::vector<Curves> curves = {};
  std::vector<Bars> bars = {};
  std::string split_heading = {};  // above the parts of the time, where records have them
  std::string split_by =
      {};  // text: records alike in it stand side by side; none: those of one case
  std::vector<Column> figures = {};  // of the table among all figures; none: no table
};

struct Family {
  std::string_view name;
  // Metrics from facts and the summary of the time. May throw: see derive().
  void (*derive)(Record&, const Summary& time) = nullptr;
  std::string items = {};             // text: a list, each item of which has facts and a row
  std::string calls_per_sample = {};  // number; absent: one
  // Facts that say what was done, as opposed to how fast the machine is.
  std::vector<std::string> same_numbers = {}, same_texts = {};
  Table table = {};
  Section section = {};
};

// Columns of a table among all figures: the case, `what` it did, its time, `how_fast` that is, and
// what the figures rest on.
[[nodiscard]] std::vector<Column> figure_columns(std::vector<Column> what,
                                                 std::vector<Column> how_fast);

#define STEPMARK_FAMILY_FUNCTION(name) Family family_##name();
STEPMARK_CASE_FAMILIES(STEPMARK_FAMILY_FUNCTION)
#undef STEPMARK_FAMILY_FUNCTION

// All, in the order in which tables show them.
[[nodiscard]] const std::vector<Family>& families();
// nullptr: none of that name.
[[nodiscard]] const Family* find_family(std::string_view name);

// "a,b" as its parts; none of an empty text.
[[nodiscard]] std::vector<std::string> list_of(const std::string& text);
// The items of a record; one empty item where the family has no such list.
[[nodiscard]] std::vector<std::string> items_of(const Family& family, const Record& record);
// `name` with the item in the place of "{}".
[[nodiscard]] std::string with_item(const std::string& name, const std::string& item);

}  // namespace stepmark
