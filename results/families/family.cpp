// SPDX-License-Identifier: Apache-2.0
// The table of families, generated from the list beside it; a family without its function does not
// link.
#include "results/families/family.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace stepmark {

const std::vector<Family>& families() {
#define STEPMARK_MAKE(name) family_##name(),
  static const std::vector<Family> kAll = {STEPMARK_CASE_FAMILIES(STEPMARK_MAKE)};
#undef STEPMARK_MAKE
  return kAll;
}

std::vector<Column> figure_columns(std::vector<Column> what, std::vector<Column> how_fast) {
  std::vector<Column> all{{"case", {{From::name}}, true}};
  const auto append = [&](std::vector<Column> columns) {
    std::move(columns.begin(), columns.end(), std::back_inserter(all));
  };
  append(std::move(what));
  append({{"median", {{From::median}}}, {"±95 %", {{From::interval}}}, {"p99", {{From::p99}}}});
  append(std::move(how_fast));
  append({{"samples (effective)", {{From::samples}}}, {"checks", {{From::checks}}}});
  return all;
}

const Family* find_family(std::string_view name) {
  const auto found = std::find_if(families().begin(), families().end(),
                                  [&](const Family& family) { return family.name == name; });
  return found == families().end() ? nullptr : &*found;
}

std::vector<std::string> list_of(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<std::string> items_of(const Family& family, const Record& record) {
  if (family.items.empty()) return {std::string()};
  const std::vector<std::string> items = list_of(record.text(family.items));
  return items.empty() ? std::vector{std::string()} : items;
}

std::string with_item(const std::string& name, const std::string& item) {
  const auto place = name.find("{}");
  return place == std::string::npos ? name : std::string(name).replace(place, 2, item);
}

}  // namespace stepmark
