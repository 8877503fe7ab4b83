// SPDX-License-Identifier: Apache-2.0
// What a page shows beside its runs, where a command has it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace stepmark {

struct PageParts {
  // Of `compare --across` (results/views/json/across_json.h); null: no decision.
  nlohmann::json across = nullptr;
  // history_data(); null: none.
  nlohmann::json history = nullptr;
  // Of each run, in their order: {"sha256", "signatures": [{"fingerprint", "trusted_as"}], "note"},
  // what is known of its file beside what its lines tell; null: nothing.
  nlohmann::json evidence = nullptr;
  // Whose each run is: the provider or the side. Runs of one owner share a colour and are put
  // together. Empty: every run stands by itself.
  std::vector<std::string> owners = {};
};

}  // namespace stepmark
