// SPDX-License-Identifier: Apache-2.0
// Google Benchmark of making a step's program: what `plan` and `run` do before anything is
// measured. All of it has to be linear in the number of ops: the same large model with 8 to 64
// micro-steps, a fit to a line through the origin ("BigO", per op) and how far the times are from
// it ("RMS").
//   build  model and plan -> program, kernels fused
//   text   program -> text
//   parse  text -> program
// The counter `ops` is the size of the program.
#include <benchmark/benchmark.h>

#include <string>

#include "harness/program/step.h"
#include "harness/program/text.h"
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

}  // namespace
}  // namespace stepmark

BENCHMARK_MAIN();
