// SPDX-License-Identifier: Apache-2.0
// From a suite to the list of cases of a world.
#include <fmt/format.h>
#include <fmt/ranges.h>

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

}  // namespace

std::unique_ptr<Case> make_skipped_case(std::string id, std::string family, std::string reason) {
  return std::make_unique<SkippedCase>(std::move(id), std::move(family), std::move(reason));
}

std::vector<std::unique_ptr<Case>> expand(const Suite& suite, int world_size,
                                          const std::vector<Workload>& workloads) {
  std::vector<std::unique_ptr<Case>> cases;
  for (const SuiteEntry& entry : suite.entries) {
    if (const auto* kernel = std::get_if<KernelEntry>(&entry)) {
      for (const OpId op : kernel->ops) {
        for (const DType dtype : kernel->dtypes) {
          for (const OpShape& shape : info_of(op).bench_shapes(dtype)) {
            if (bytes_of(shape) > kernel->max_bytes || flops_of(shape) > kernel->max_gflop * 1e9) {
              continue;
            }
            cases.push_back(make_kernel_case(shape));
          }
        }
      }
    } else if (const auto* collective = std::get_if<CollectiveEntry>(&entry)) {
      for (auto& one : make_collective_cases(*collective, world_size)) {
        if (world_size == 1) {  // a copy is not a collective
          cases.push_back(make_skipped_case(one->id(), "collective", "needs at least 2 ranks"));
        } else {
          cases.push_back(std::move(one));
        }
      }
    } else if (const auto* groups = std::get_if<GroupsEntry>(&entry)) {
      cases.push_back(make_groups_case(*groups, world_size));
    } else if (const auto* overlap = std::get_if<OverlapEntry>(&entry)) {
      for (auto& one : make_overlap_cases(*overlap, world_size)) cases.push_back(std::move(one));
    } else {
      cases.push_back(step_case(std::get<StepEntry>(entry), world_size, workloads));
    }
  }
  return cases;
}

}  // namespace stepmark
