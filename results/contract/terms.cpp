// SPDX-License-Identifier: Apache-2.0
// Reads a terms file, strictly: a key that is misspelt would be a promise that nobody checks.
#include "results/contract/terms.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "results/contract/terms_parts.h"

namespace stepmark {
namespace {

constexpr std::int64_t kMostNodes = 1'048'576;  // as ranks of a run
constexpr std::int64_t kMostGpusPerNode = 1024;

void read_parties(YamlMap& map, Terms& terms) {
  YamlMap parties = map.required_map("parties");
  terms.provider = parties.required_string("provider");
  terms.customer = parties.required_string("customer");
  parties.finish();
}

void read_quantity(YamlMap& map, Terms& terms) {
  YamlMap quantity = map.required_map("quantity");
  terms.nodes = quantity.required_int("nodes", {.min = 1, .max = kMostNodes});
  terms.gpus_per_node = quantity.required_int("gpus_per_node", {.min = 1, .max = kMostGpusPerNode});
  quantity.finish();
}

Fee read_fee(YamlMap& map) {
  Fee fee;
  fee.monthly = required_money(map, "monthly");
  fee.currency = map.required_string("currency");
  const bool code =
      fee.currency.size() == 3 && std::all_of(fee.currency.begin(), fee.currency.end(),
                                              [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!code) {
    map.fail("currency", fmt::format("currency: found '{}', expected its three capital letters "
                                     "(ISO 4217) such as USD",
                                     fee.currency));
  }
  fee.per = read_unit(map, "per");
  map.finish();
  return fee;
}

std::vector<StackFact> read_stack(YamlMap& map) {
  std::vector<StackFact> out;
  for (const std::string& section : map.keys()) {
    YamlMap facts = map.required_map(section);
    for (const std::string& name : facts.keys()) {
      out.push_back({.section = section, .name = name, .value = facts.required_string(name)});
    }
    facts.finish();
  }
  map.finish();
  return out;
}

void read_floors(YamlMap& map, Terms& terms) {
  for (YamlMap& one : map.optional_maps("floors")) {
    Floor floor = read_floor(one, terms);
    if (const Floor* other = terms.find(floor.name)) {
      one.fail("floor", fmt::format("floor: there is a '{}' in line {} already; names tell floors "
                                    "apart, give it another",
                                    floor.name, other->place.line));
    }
    terms.floors.push_back(std::move(floor));
  }
}

// What one part needs of another.
void require_whole(const YamlMap& map, const Terms& terms) {
  if (terms.floors.empty() && !terms.availability) {
    map.fail("",
             "neither floors nor availability: there is nothing that could be checked; add "
             "'floors', a list");
  }
  const auto owed = [](const Floor& floor) { return floor.credit > 0; };
  const bool by_floors = std::any_of(terms.floors.begin(), terms.floors.end(), owed);
  if (by_floors && !terms.credits) {
    const auto& floor = *std::find_if(terms.floors.begin(), terms.floors.end(), owed);
    throw ConfigError(floor.place.file, floor.place.line, floor.place.column,
                      fmt::format("floor '{}' has a credit and the terms have no 'credits', which "
                                  "say cap and rounding",
                                  floor.name));
  }
  if (terms.credits && !terms.fee) {
    map.fail("credits", "credits: they are shares of a fee, and there is no 'fee'");
  }
  if (terms.credits && !terms.availability && !by_floors) {
    map.fail("credits",
             "credits: nothing makes them owed: add 'availability', or 'credit' to a "
             "floor");
  }
  if (terms.availability && terms.credits && terms.credits->tiers.empty()) {
    map.fail("credits",
             "credits: 'tiers' are missing, which say what an uptime below the "
             "objective costs");
  }
  if (terms.availability && terms.credits &&
      terms.credits->tiers.front().at_least >= terms.availability->objective) {
    map.fail("credits",
             "credits: the first tier begins at or above the objective, where nothing is "
             "owed");
  }
  if (!terms.availability && terms.credits && !terms.credits->tiers.empty()) {
    map.fail("credits", "credits: there are tiers and no 'availability' to which they apply");
  }
}

Terms read_map(YamlMap map, std::string_view file) {
  Terms terms;
  terms.file = file;
  terms.name = map.required_string("terms");
  read_parties(map, terms);
  YamlMap valid = map.required_map("valid");
  terms.valid = read_days(valid);
  read_quantity(map, terms);
  if (auto fee = map.optional_map("fee")) terms.fee = read_fee(*fee);
  if (auto stack = map.optional_map("stack")) terms.stack = read_stack(*stack);
  read_floors(map, terms);
  if (auto part = map.optional_map("availability")) {
    terms.availability = read_availability(*part, terms);
  }
  if (auto part = map.optional_map("credits")) terms.credits = read_credits(*part);
  map.finish();
  require_whole(map, terms);
  return terms;
}

}  // namespace

std::string_view name_of(FloorDirection direction) {
  return direction == FloorDirection::at_least ? "at least" : "at most";
}

const Floor* Terms::find(std::string_view floor) const {
  const auto found = std::find_if(floors.begin(), floors.end(),
                                  [&](const Floor& one) { return one.name == floor; });
  return found == floors.end() ? nullptr : &*found;
}

Terms read_terms(const std::string& path) {
  return read_map(YamlDocument::read_file(path).map(), path);
}

Terms read_terms_text(std::string_view text, std::string_view name) {
  return read_map(YamlDocument::read_text(text, name).map(), name);
}

}  // namespace stepmark
