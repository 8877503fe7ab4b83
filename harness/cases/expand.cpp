// SPDX-License-Identifier: Apache-2.0
// Cases of one definition that several entries ask for are measured once, with a remark; one id
// with two definitions is refused, since results go by id. What a plan cannot run here stays in the
// list as skipped, with its reason.
#include "harness/cases/expand.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "collectives/sweep.h"
#include "core/error.h"

namespace stepmark {
namespace {

class SkippedCase final : public Case {
 public:
  SkippedCase(std::string id, std::string family, std::string reason)
      : id_(std::move(id)), family_(std::move(family)), reason_(std::move(reason)) {}
  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string_view family() const override { return family_; }
  [[nodiscard]] double weight() const override { return 0.0; }
  [[nodiscard]] Record run(CaseContext&) override {
    Record record;
    record.outcome = Outcome::skipped;
    record.reason = reason_;
    return record;
  }

 private:
  std::string id_, family_, reason_;
};

// Cases of one definition are one. Fallback plans meet in them, and sizes of several entries.
void merge(Expansion& expansion) {
  std::map<std::string, std::string> ids;          // by definition
  std::map<std::string, std::string> definitions;  // by id
  std::vector<std::string> met;
  std::vector<std::unique_ptr<Case>> kept;
  for (auto& one : expansion.cases) {
    const auto [known, is_new] = ids.try_emplace(one->definition(), one->id());
    if (!is_new) {
      met.push_back(one->id() + (known->second == one->id() ? "" : " (as " + known->second + ")"));
      continue;
    }
    const auto [other, id_is_new] = definitions.try_emplace(one->id(), one->definition());
    STEPMARK_REQUIRE(id_is_new,
                     "the suite asks twice for case '{}' with different settings, '{}' and '{}'; "
                     "put them into two suites",
                     one->id(), other->second, one->definition());
    kept.push_back(std::move(one));
  }
  expansion.cases = std::move(kept);
  if (met.empty()) return;
  std::sort(met.begin(), met.end());
  met.erase(std::unique(met.begin(), met.end()), met.end());
  expansion.remarks.push_back(fmt::format(
      "several entries come to the same case, measured once: {}", fmt::join(met, ", ")));
}

}  // namespace

std::unique_ptr<Case> make_skipped_case(std::string id, std::string family, std::string reason) {
  return std::make_unique<SkippedCase>(std::move(id), std::move(family), std::move(reason));
}

Expansion expand(const Suite& suite, int world_size, const std::vector<Workload>& workloads) {
  const SuiteWorld world{.size = world_size, .workloads = workloads};
  Expansion expansion;
  for (const SuiteEntry& entry : suite.entries) {
    entry.expand(world, expansion);
    STEPMARK_REQUIRE(expansion.cases.size() <= kMaxSweepCases,
                     "the suite comes to more than {} cases: take larger steps or shorter lists",
                     kMaxSweepCases);
  }
  merge(expansion);
  return expansion;
}

}  // namespace stepmark
