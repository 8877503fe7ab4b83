// SPDX-License-Identifier: Apache-2.0
// What sealing does not know: how figures, verdicts and the page come about. Whoever seals and
// whoever verifies hands in the same, so that what one made the other makes again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/record/journal.h"
#include "results/record/recompute.h"
#include "results/seal/agreed.h"

namespace stepmark {

struct EvidenceSide {
  std::string name;  // its provider; empty: as the journals say
  std::vector<Run> runs;
};

// What verdicts are made of. Files have their names in the bundle.
struct VerdictBasis {
  std::vector<EvidenceSide> sides;  // the first is the baseline
  bool across = false;              // the sides are providers'
  double margin = 0;
  std::string day;                                // "2026-11-29": ages of prices count until then
  std::map<AgreedKind, std::string_view> agreed;  // contents
  // What messages call what was agreed, where that is not its name in the bundle: while sealing,
  // the files that the user gave.
  std::map<AgreedKind, std::string> said_as;
  std::map<std::string, std::string_view> journals;  // contents, by Run::path
};

struct Verdicts {
  nlohmann::json json;     // as a file of the bundle
  std::int64_t count = 0;  // verdicts in it
  std::string summary;     // "2 met, 1 undecided"
};

struct AcrossVerdicts {
  Verdicts across;
  Verdicts portfolio;   // null JSON without a mix
  nlohmann::json page;  // what the page shows of both
};

struct EvidenceViews {
  Derive derive;
  // `decision`: AcrossVerdicts::page, or null.
  std::function<std::string(std::span<const Run>, const nlohmann::json& decision)> page;
  // Of the sides against the first, as `compare --json`.
  std::function<Verdicts(const VerdictBasis&)> compare;
  // As `compare --across --json`, and its portfolio.
  std::function<AcrossVerdicts(const VerdictBasis&)> across;
  // As `contract check --json`.
  std::function<Verdicts(const VerdictBasis&)> contract;
};

}  // namespace stepmark
