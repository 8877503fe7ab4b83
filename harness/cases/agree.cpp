// SPDX-License-Identifier: Apache-2.0
// Rank 0 gathers, chooses and tells. As JSON, since texts may hold anything and numbers stay exact.
#include "harness/cases/agree.h"

#include <cstddef>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace stepmark {
namespace {

using nlohmann::json;

std::string to_json(const std::vector<Offer>& offers) {
  json all = json::array();
  for (const Offer& offer : offers) all.push_back({offer.weight, offer.text});
  return all.dump();
}

std::vector<Offer> from_json(const std::string& text) {
  std::vector<Offer> offers;
  for (const json& one : json::parse(text)) {
    offers.push_back({.weight = one.at(0).get<double>(), .text = one.at(1).get<std::string>()});
  }
  return offers;
}

}  // namespace

std::vector<Offer> greatest_offers(Control& control, const std::vector<Offer>& own) {
  std::vector<Offer> best = own;
  for (const std::string& text : control.gather(to_json(own))) {
    const std::vector<Offer> offers = from_json(text);
    STEPMARK_CHECK(offers.size() == best.size(), "ranks offer {} and {} things", best.size(),
                   offers.size());
    for (std::size_t i = 0; i < best.size(); ++i) {
      if (offers[i].weight > best[i].weight) best[i] = offers[i];
    }
  }
  return from_json(control.broadcast(to_json(best)));
}

}  // namespace stepmark
