// SPDX-License-Identifier: Apache-2.0
// Every shipped suite comes to something in every world: at least one case, no two of one name,
// every plan legal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <set>

#include "core/error.h"
#include "harness/cases/expand.h"
#include "harness/cases/families/step.h"
#include "harness/program/step.h"
#include "harness/program/validate.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> yaml_files(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(STEPMARK_CONFIGS) / folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  EXPECT_FALSE(files.empty()) << folder;
  return files;
}

std::vector<Workload> shipped_workloads() {
  std::vector<Workload> workloads;
  for (const fs::path& file : yaml_files("workloads")) workloads.push_back(read_workload(file));
  return workloads;
}

std::vector<int> worlds() {
  std::vector<int> all(64);
  std::iota(all.begin(), all.end(), 1);
  all.insert(all.end(), {96, 128, 1000});
  return all;
}

// What expands is the same for every backend: backends differ in what a case finds when it runs.
TEST(ShippedSuites, ExpandInEveryWorld) {
  const std::vector<Workload> workloads = shipped_workloads();
  for (const fs::path& file : yaml_files("suites")) {
    const Suite suite = read_suite(file);
    for (const int world : worlds()) {
      SCOPED_TRACE(testing::Message() << file.stem() << " on " << world << " ranks");
      Expansion expansion;
      ASSERT_NO_THROW(expansion = expand(suite, world, workloads));
      std::set<std::string> ids;
      std::size_t measured = 0;
      for (const auto& one : expansion.cases) {
        EXPECT_TRUE(ids.insert(one->id()).second) << one->id();
        measured += one->weight() > 0 ? 1 : 0;
      }
      EXPECT_GE(measured, 1U) << "nothing but skipped cases";
    }
  }
}

// The plan that a step entry comes to in a world.
std::optional<Plan> plan_in(const StepEntry& entry, const Workload& workload, int world) {
  for (const std::string& text : entry.plans) {
    try {
      return resolve(parse_plan(text, workload.plan), workload.model, world);
    } catch (const Error&) {
      continue;
    }
  }
  return std::nullopt;
}

TEST(ShippedSuites, HaveALegalPlanForEveryStepInEveryWorld) {
  const std::vector<Workload> workloads = shipped_workloads();
  for (const fs::path& file : yaml_files("suites")) {
    for (const SuiteEntry& one : read_suite(file).entries) {
      const auto* entry = one.as<StepEntry>();
      if (entry == nullptr) continue;
      const auto workload =
          std::find_if(workloads.begin(), workloads.end(),
                       [&](const Workload& w) { return w.name == entry->workload; });
      ASSERT_NE(workload, workloads.end()) << entry->workload;
      for (const int world : worlds()) {
        SCOPED_TRACE(testing::Message() << file.stem() << " " << entry->workload << " " << world);
        const std::optional<Plan> plan = plan_in(*entry, *workload, world);
        ASSERT_TRUE(plan.has_value());
        if (world > 4 && world != 7) continue;  // programs of larger worlds are of the same kinds
        const Model model = sliced(workload->model, *plan);
        std::vector<Program> programs;
        for (int rank = 0; rank < world; ++rank) {
          programs.push_back(step_program(model, *plan, rank));
        }
        EXPECT_NO_THROW(validate(programs));
      }
    }
  }
}

}  // namespace
}  // namespace stepmark
