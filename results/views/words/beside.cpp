// SPDX-License-Identifier: Apache-2.0
// What a record is of follows from what its family sets drawings apart by.
#include "results/views/words/beside.h"

#include <set>
#include <string>
#include <utility>

#include "results/families/family.h"

namespace stepmark {
namespace {

// What figures of others must share: the family, and what its drawings are of.
std::pair<std::string, std::string> subject_of(const Record& record) {
  const Family* family = find_family(record.family);
  std::string of;
  if (family != nullptr && !family->section.curves.empty()) {
    const auto& apart = family->section.curves.front().apart;
    if (!apart.empty()) of = record.text(apart.front());
  }
  return {record.family, of};
}

}  // namespace

std::vector<const Record*> records_beside(std::span<const Run> runs) {
  std::set<std::pair<std::string, std::string>> own;
  for (const Run& run : runs) {
    for (const Record& record : run.records) {
      if (!run.beside && record.outcome == Outcome::ok) own.insert(subject_of(record));
    }
  }
  std::vector<const Record*> out;
  for (const Run& run : runs) {
    for (const Record& record : run.records) {
      if (run.beside && record.outcome == Outcome::ok && own.contains(subject_of(record)))
        out.push_back(&record);
    }
  }
  return out;
}

}  // namespace stepmark
