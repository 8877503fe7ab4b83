// SPDX-License-Identifier: Apache-2.0
// A fact is what it is called in its section; several of one name are joined.
#include "results/history/event_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "results/history/rows.h"

namespace stepmark {
namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kLatest = 253402300799;  // the year 9999; the sums below stay numbers

}  // namespace

std::vector<FactDifference> differences_between(const Database& database, std::int64_t before,
                                                std::int64_t after) {
  std::map<std::pair<std::string, std::string>, FactDifference> facts;
  Statement rows = database.prepare(
      "SELECT section, name, value, fingerprint FROM run_fact JOIN fact ON fact.id = run_fact.fact "
      "WHERE run = ?1 ORDER BY fact.id");
  const auto read = [&](std::int64_t run, std::string FactDifference::*side) {
    rows.reset().bind(1, run);
    while (rows.step()) {
      FactDifference& one = facts[{rows.text(0), rows.text(1)}];
      one.section = rows.text(0);
      one.name = rows.text(1);
      std::string& value = one.*side;
      value += (value.empty() ? "" : ", ") + rows.text(2);
      one.fingerprint = rows.boolean(3);
    }
  };
  read(before, &FactDifference::before);
  read(after, &FactDifference::after);
  std::vector<FactDifference> out;
  for (const auto& [key, one] : facts) {
    if (one.before != one.after) out.push_back(one);
  }
  std::stable_sort(out.begin(), out.end(), [](const FactDifference& a, const FactDifference& b) {
    return a.fingerprint && !b.fingerprint;
  });
  return out;
}

std::vector<Annotation> annotations_between(const Database& database, std::int64_t line,
                                            std::int64_t from, std::int64_t to) {
  Statement rows = database.prepare(fmt::format(
      "SELECT {} FROM annotation WHERE (line IS NULL OR line = ?1) AND at >= ?2 AND at <= ?3 "
      "ORDER BY at, id",
      kAnnotationColumns));
  rows.bind(1, line).bind(2, std::clamp<std::int64_t>(from, 0, kLatest) - kDay);
  rows.bind(3, std::clamp<std::int64_t>(to, 0, kLatest) + kDay);
  return annotations_of(rows);
}

}  // namespace stepmark
