// SPDX-License-Identifier: Apache-2.0
// The long simulation of comparisons between providers: a line of JSON per world. Run by
// scripts/simulate-across.
#include <array>
#include <cstdlib>

#include "across_rates.h"
#include "core/output.h"

int main(int argc, char** argv) {
  using stepmark::made::Simulation;
  const int comparisons = argc > 1 ? std::atoi(argv[1]) : 2000;  // NOLINT(cert-err34-c)
  struct World {
    const char* name;
    Simulation world;
  };
  const std::array kWorlds = {
      World{"2 runs, 1 plan", {.runs = 2}},
      World{"3 runs, 1 plan", {.runs = 3}},
      World{"4 runs, 1 plan", {.runs = 4}},
      World{"8 runs, 1 plan", {.runs = 8}},
      World{"4 runs, 1 plan, B 10 % slower", {.runs = 4, .truth = 1.1}},
      World{"4 runs, 1 plan, B varies 4 times as much",
            {.runs = 4, .a = {.between_runs = 0.005}, .b = {.between_runs = 0.02}}},
      World{"8 runs, 1 plan, B varies 4 times as much",
            {.runs = 8, .a = {.between_runs = 0.005}, .b = {.between_runs = 0.02}}},
      World{"1 run, 5 plans each", {.runs = 1, .plans = 5, .plans_of_b = 5}},
      World{"2 runs, 5 plans each", {.runs = 2, .plans = 5, .plans_of_b = 5}},
      World{"6 runs, 5 plans each", {.runs = 6, .plans = 5, .plans_of_b = 5}},
      World{"8 runs, 5 plans each", {.runs = 8, .plans = 5, .plans_of_b = 5}},
      World{"6 runs, 5 plans each, margin 0",
            {.runs = 6, .plans = 5, .plans_of_b = 5, .margin = 0}},
      World{"6 runs, 5 plans against 1, margin 0", {.runs = 6, .plans = 5, .margin = 0}},
      World{"1 run, 5 plans against 1, margin 0, spread stated",
            {.runs = 1, .plans = 5, .stated = 0.011, .margin = 0}}};
  for (World one : kWorlds) {
    one.world.comparisons = comparisons;
    const auto rates = stepmark::made::simulate(one.world);
    stepmark::write_stdout(fmt::format(
        R"({{"world": "{}", "comparisons": {}, "ratio_coverage": {:.4f}, "break_even_coverage": {:.4f}, "false_verdicts": {:.4f}, "found": {:.4f}}})"
        "\n",
        one.name, comparisons, rates.ratio_coverage, rates.break_even_coverage,
        rates.false_verdicts, rates.found));
  }
  return 0;
}
