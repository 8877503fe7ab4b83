// SPDX-License-Identifier: Apache-2.0
// Google Benchmark of making a step's program: what `plan` and `run` do before anything is
// measured. All of it has to be linear in the number of ops: the same large model with 8 to 64
// micro-steps, a fit to a line through the origin ("BigO", per op) and how far the times are from
// it ("RMS").
//   build  model and plan -> program, kernels fused
//   text   program -> text
//   parse  text -> program
// The counter `ops` is the size of the program.
//   all_roles  what a plan of 16,384 ranks takes to be checked whole: the program of every role,
//              built and validated, every micro-step and layer. Bounds: 2 s and 1 GiB ("peak_MiB",
//              the most that the process ever had; run it alone with --benchmark_filter=all_roles).
//   list       every legal plan of the same model on as many ranks, with its cost (plan --list).
#include <benchmark/benchmark.h>

#include <sys/resource.h>

#include <string>

#include "core/error.h"
#include "harness/program/plan_estimate.h"
#include "harness/program/plan_space.h"
#include "harness/program/step.h"
#include "harness/program/step_facts.h"
#include "harness/program/text.h"
#include "harness/program/validate_step.h"
#include "harness/spec/workload.h"

namespace stepmark {
namespace {

constexpr int kRanks = 8;  // of tensor parallelism
constexpr int kFewest = 8, kMost = 64;

const Workload& workload() {
  static const Workload loaded = read_workload(STEPMARK_CONFIGS "/workloads/llama3-405b.yaml");
  return loaded;
}

Program program_of(const benchmark::State& state) {
  Plan plan = workload().plan;
  plan.tp = kRanks;
  plan.accumulation = state.range(0);
  plan = resolve(plan, workload().model, kRanks);
  return step_program(workload().model, plan, 0);
}

void report(benchmark::State& state, const Program& program) {
  const auto ops = static_cast<std::int64_t>(program.ops.size());
  state.SetComplexityN(ops);
  state.counters["ops"] = static_cast<double>(ops);
}

void build(benchmark::State& state) {
  Program program;
  for ([[maybe_unused]] const auto iteration : state) {
    program = program_of(state);
    benchmark::DoNotOptimize(program.ops.data());
  }
  report(state, program);
}

void text(benchmark::State& state) {
  const Program program = program_of(state);
  for ([[maybe_unused]] const auto iteration : state) {
    const std::string printed = to_text(program);
    benchmark::DoNotOptimize(printed.data());
  }
  report(state, program);
}

void parse(benchmark::State& state) {
  const std::string printed = to_text(program_of(state));
  Program program;
  for ([[maybe_unused]] const auto iteration : state) {
    program = parse_program(printed);
    benchmark::DoNotOptimize(program.ops.data());
  }
  report(state, program);
}

double peak_mib() {
  rusage usage{};
  STEPMARK_REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage gave nothing");
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts in KiB
}

// Degrees and micro-batches of arXiv 2407.21783 table 4, a chunk per layer or two.
constexpr int kWorld = 16'384;
Plan plan_of_world(std::int64_t accumulation) {
  return resolve(parse_plan("tp=8,pp=16,dp=128,sp=on,schedule=interleaved,chunks=7,"
                            "micro_batch=1,zero=1,accumulation=" +
                                std::to_string(accumulation),
                            workload().plan),
                 workload().model, kWorld);
}

void all_roles(benchmark::State& state) {
  const Plan plan = plan_of_world(state.range(0));
  StepValidation done;
  for ([[maybe_unused]] const auto iteration : state) {
    done = validate_step(workload().model, plan);
  }
  STEPMARK_REQUIRE(done.ranks == kWorld, "not all of the step was looked at");
  state.counters["whole"] = done.whole ? 1 : 0;
  state.counters["roles"] = static_cast<double>(done.roles);
  state.counters["peak_MiB"] = peak_mib();
}

void all_memory(benchmark::State& state) {
  const Plan plan = plan_of_world(state.range(0));
  std::int64_t bytes = 0;
  for ([[maybe_unused]] const auto iteration : state) {
    bytes = step_memory_bytes(workload().model, plan);
  }
  state.counters["GB"] = static_cast<double>(bytes) / 1e9;
  state.counters["peak_MiB"] = peak_mib();
}

void list(benchmark::State& state) {
  constexpr int kBatch = 2048;  // sequences
  std::size_t plans = 0;
  for ([[maybe_unused]] const auto iteration : state) {
    PlanEstimator estimator(workload().model, {});
    plans = 0;
    for (const Plan& plan :
         legal_plans(workload().model, workload().plan,
                     {.ranks = kWorld, .global_batch = kBatch, .scale_up_domain = kRanks})) {
      benchmark::DoNotOptimize(estimator.estimate(plan).state_bytes);
      ++plans;
    }
  }
  state.counters["plans"] = static_cast<double>(plans);
  state.counters["peak_MiB"] = peak_mib();
}

void micro_steps(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("accumulation")
      ->RangeMultiplier(2)
      ->Range(kFewest, kMost)
      ->Unit(benchmark::kMillisecond)
      ->Complexity(benchmark::oN);
}

BENCHMARK(build)->Apply(micro_steps);
BENCHMARK(text)->Apply(micro_steps);
BENCHMARK(parse)->Apply(micro_steps);
void micro_batches(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("accumulation")->Arg(16)->Arg(112)->Unit(benchmark::kMillisecond);
}
BENCHMARK(all_roles)->Apply(micro_batches);
BENCHMARK(all_memory)->Apply(micro_batches);
BENCHMARK(list)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stepmark

BENCHMARK_MAIN();
