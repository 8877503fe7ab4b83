// SPDX-License-Identifier: Apache-2.0
// JSON by lines; any mistake is an answer {"error"} and never the end, because the other program
// would wait for it. A step that is prepared ran once, with a finite loss.
#include "harness/run/on_request.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "harness/exec/step_state.h"
#include "harness/measure/sampler.h"
#include "harness/program/memory_plan.h"
#include "harness/program/validate_step.h"
#include "harness/run/data_seed.h"
#include "harness/spec/data_files.h"
#include "harness/spec/workload.h"

namespace stepmark {
namespace {

using nlohmann::json;

constexpr int kMostSteps = 10000;

}  // namespace

struct StepsOnRequest::Ready {
  Ready(Machine& machine, const Model& model, const Plan& plan)
      : model_(model),
        plan_(plan),
        program_(step_program(model, plan, 0, machine.executor().device().traits())),
        comms_(make_comm_set(machine.world(), program_)),
        runnable_(machine.executor().prepare(program_, *comms_, {.reuse = true})),
        state_(*runnable_, machine.executor().device(), model, plan, kDataSeed) {
    state_.initialise_fresh();
    runnable_->run();
    STEPMARK_CHECK(std::isfinite(state_.loss()), "the first step's loss is {}", state_.loss());
  }

  [[nodiscard]] json facts() const {
    return {{"plan", to_text(plan_)},
            {"parameters", model_.parameters()},
            {"tokens", plan_.tokens_per_step()},
            {"memory_bytes", plan_memory(program_).bytes},
            {"loss", state_.loss()}};
  }

  [[nodiscard]] json time(int steps) {
    const double seconds = runnable_->run_back_to_back(steps);
    const double loss = state_.loss();
    STEPMARK_CHECK(std::isfinite(loss), "the loss after {} steps is {}", steps, loss);
    return {{"seconds", seconds / steps}, {"count", steps}, {"loss", loss}};
  }

  Model model_;
  Plan plan_;
  Program program_;
  std::unique_ptr<CommSet> comms_;
  std::unique_ptr<Runnable> runnable_;
  StepState state_;
};

StepsOnRequest::StepsOnRequest(Machine& machine) : machine_(machine) {}

StepsOnRequest::~StepsOnRequest() = default;

json StepsOnRequest::answer(const std::string& line) {
  try {
    const json ask = json::parse(line);
    const std::string what = ask.at("do").get<std::string>();
    if (what == "prepare") return prepare(ask);
    if (what == "step") return step(ask.at("count").get<int>());
    if (what == "release") {
      ready_.reset();
      return json::object();
    }
    throw Error(ExitCode::kUsage,
                fmt::format("no command '{}', but: prepare, step, release", what));
  } catch (const json::exception& error) {
    return {{"error", fmt::format("not understood: {}", error.what())}};
  } catch (const Error& error) {
    return {{"error", error.message()}};
  }
}

json StepsOnRequest::prepare(const json& ask) {
  ready_.reset();  // its memory is needed
  const double begin_s = steady_clock_seconds();
  const Workload workload =
      read_workload(find_file("workloads", ask.at("workload").get<std::string>()));
  const Plan given = parse_plan(ask.value("plan", std::string()), workload.plan);
  const Plan plan = resolve(given, workload.model, 1);
  const Model model = sliced(workload.model, plan);
  static_cast<void>(validate_step(model, plan, machine_.executor().device().traits()));
  ready_ = std::make_unique<Ready>(machine_, model, plan);
  json facts = ready_->facts();
  facts["prepare_s"] = steady_clock_seconds() - begin_s;
  return facts;
}

json StepsOnRequest::step(int count) {
  STEPMARK_REQUIRE(ready_ != nullptr, "nothing is prepared");
  STEPMARK_REQUIRE(count >= 1 && count <= kMostSteps, "count is {}, expected 1 to {}", count,
                   kMostSteps);
  return ready_->time(count);
}

}  // namespace stepmark
