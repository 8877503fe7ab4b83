// SPDX-License-Identifier: Apache-2.0
// From a suite to the list of cases of a world.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "collectives/sweep.h"
#include "core/error.h"
#include "core/yaml.h"
#include "harness/cases/case.h"

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

const Workload& find_workload(const std::vector<Workload>& workloads, const std::string& name) {
  std::vector<std::string> names;
  for (const Workload& workload : workloads) {
    if (workload.name == name) return workload;
    names.push_back(workload.name);
  }
  const std::string nearest = nearest_name(name, names);
  throw Error(ExitCode::kUsage,
              fmt::format("unknown workload '{}'; {}", name,
                          nearest.empty() ? fmt::format("known: {}", fmt::join(names, " "))
                                          : fmt::format("did you mean '{}'?", nearest)));
}

std::unique_ptr<Case> step_case(const StepEntry& entry, int world_size,
                                const std::vector<Workload>& workloads) {
  const Workload& workload = find_workload(workloads, entry.workload);
  std::string reasons;
  for (const std::string& text : entry.plans) {
    const Plan plan = parse_plan(text, workload.plan);
    try {
      return make_step_case(workload, resolve(plan, workload.model, world_size));
    } catch (const Error& error) {
      if (entry.plans.size() == 1) throw;
      reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", text, error.message());
    }
  }
  return make_skipped_case(fmt::format("step/{}/{}", workload.name, entry.plans.front()), "step",
                           "no plan of the suite fits: " + reasons);
}

// Errors of what a suite's file says get its place.
template <class Action>
void placed(const YamlPlace& place, Action action) {
  try {
    action();
  } catch (const Error& error) {
    if (place.file.empty()) throw;
    throw ConfigError(place.file, place.line, place.column, error.message());
  }
}

std::string listed(const std::vector<DType>& dtypes) {
  std::vector<std::string_view> names;
  for (const DType dtype : dtypes) names.push_back(name_of(dtype));
  return fmt::format("{}", fmt::join(names, ", "));
}

// Of many ops that are swept over the same types, those without a type drop out of it, one remark
// for all; for a lone op the type was asked for, and cannot be had.
class MissingTypes {
 public:
  explicit MissingTypes(const KernelEntry& entry) : entry_(entry) {}

  [[nodiscard]] bool lacks(OpId op, DType dtype) {
    const std::vector<DType> has = dtypes_of(op);
    if (std::find(has.begin(), has.end(), dtype) != has.end()) return false;
    const std::string_view name = info_of(op).name;
    if (entry_.ops.size() == 1) {
      placed(entry_.place, [&] {
        throw Error(ExitCode::kUsage,
                    fmt::format("op {} has no {}, but: {}", name, name_of(dtype), listed(has)));
      });
    }
    dropped_[{dtype, listed(has)}].push_back(name);
    return true;
  }

  [[nodiscard]] std::vector<std::string> remarks() const {
    std::vector<std::string> all;
    for (const auto& [what, ops] : dropped_) {
      all.push_back(fmt::format("kernel {}: {} only, no {}: dropped",
                                ops.size() == entry_.ops.size()
                                    ? fmt::format("of all {} ops", ops.size())
                                    : fmt::format("{}", fmt::join(ops, ", ")),
                                what.second, name_of(what.first)));
    }
    return all;
  }

 private:
  const KernelEntry& entry_;
  std::map<std::pair<DType, std::string>, std::vector<std::string_view>> dropped_;
};

// What of an op stays under the limits; a remark where nothing does.
void add_kernel_cases(const KernelEntry& entry, Expansion& expansion) {
  MissingTypes missing(entry);
  for (const OpId op : entry.ops) {
    for (const DType dtype : entry.dtypes) {
      if (missing.lacks(op, dtype)) continue;
      const std::size_t before = expansion.cases.size();
      for (const OpShape& shape : info_of(op).bench_shapes(dtype)) {
        const double bytes = bytes_of(shape);
        if (bytes < entry.min_bytes || bytes > entry.max_bytes) continue;
        if (flops_of(shape) > entry.max_gflop * 1e9) continue;
        expansion.cases.push_back(make_kernel_case(shape));
      }
      if (expansion.cases.size() > before) continue;
      expansion.remarks.push_back(fmt::format(
          "kernel {} {}: none of its shapes is within min_bytes, max_bytes and max_gflop: "
          "dropped",
          info_of(op).name, name_of(dtype)));
    }
  }
  for (std::string& remark : missing.remarks()) expansion.remarks.push_back(std::move(remark));
}

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
  Expansion expansion;
  for (const SuiteEntry& entry : suite.entries) {
    if (const auto* kernel = std::get_if<KernelEntry>(&entry)) {
      add_kernel_cases(*kernel, expansion);
    } else if (const auto* collective = std::get_if<CollectiveEntry>(&entry)) {
      add_collective_cases(*collective, world_size, expansion);
    } else if (const auto* groups = std::get_if<GroupsEntry>(&entry)) {
      add_groups_case(*groups, world_size, expansion);
    } else if (const auto* overlap = std::get_if<OverlapEntry>(&entry)) {
      add_overlap_cases(*overlap, world_size, expansion);
    } else {
      const auto& step = std::get<StepEntry>(entry);
      placed(step.place,
             [&] { expansion.cases.push_back(step_case(step, world_size, workloads)); });
    }
    STEPMARK_REQUIRE(expansion.cases.size() <= kMaxSweepCases,
                     "the suite comes to more than {} cases: take larger steps or shorter lists",
                     kMaxSweepCases);
  }
  merge(expansion);
  return expansion;
}

}  // namespace stepmark
