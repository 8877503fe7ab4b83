// SPDX-License-Identifier: Apache-2.0
// A provider is what the user says it is, else the cluster file that the run was given: a journal
// that names neither is nobody's, and is refused rather than guessed.
#include <algorithm>

#include "core/error.h"
#include "results/across/across.h"
#include "results/compare/run_identity.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

std::string cluster_of(const Run& run) {
  for (const Record& record : run.records) {
    if (auto name = record.text(facts::kCluster); !name.empty()) return name;
  }
  return {};
}

Provider& named(std::vector<Provider>& providers, const std::string& name) {
  const auto found = std::find_if(providers.begin(), providers.end(),
                                  [&](const Provider& one) { return one.name == name; });
  if (found != providers.end()) return *found;
  providers.push_back({.name = name, .runs = {}});
  return providers.back();
}

}  // namespace

std::vector<Provider> providers_of(std::vector<NamedSide> sides) {
  std::vector<RunSide> all;
  for (const NamedSide& one : sides) all.push_back(one.side);
  require_distinct_runs(all);
  std::vector<Provider> out;
  for (NamedSide& one : sides) {
    for (Run& run : one.side.runs) {
      const std::string name = one.name.empty() ? cluster_of(run) : one.name;
      STEPMARK_REQUIRE(!name.empty(),
                       "{}: does not say whose it is (its run had no --cluster): give --label "
                       "NAME={}",
                       run.path, run.path);
      named(out, name).runs.push_back(std::move(run));
    }
  }
  return out;
}

}  // namespace stepmark
