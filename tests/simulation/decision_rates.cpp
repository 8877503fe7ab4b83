// SPDX-License-Identifier: Apache-2.0
// The long simulation of verdicts and of the runs that they ask for: a line of JSON per world. Run
// by scripts/simulate-decisions.
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "core/output.h"
#include "known_truth.h"

int main(int argc, char** argv) {
  using stepmark::CompareOptions;
  using stepmark::made::Truth;
  const int comparisons = argc > 1 ? std::atoi(argv[1]) : 400;  // NOLINT(cert-err34-c)
  CompareOptions two;
  CompareOptions none{.margin = 0};
  none.smallest = 0.02;
  CompareOptions one{.margin = 0.01};
  one.smallest = 0.02;
  CompareOptions stated = one;
  stated.run_spread = 0.009;
  const Truth runs{.common = 0.006, .own = 0.004};
  const auto with = [&](Truth truth, const CompareOptions& options, double ratio, bool announced) {
    truth.options = options;
    truth.ratio = ratio;
    truth.by_announced = announced;
    truth.comparisons = comparisons;
    return truth;
  };
  Truth three = runs;
  three.runs = 3;
  Truth single = runs;
  single.runs = 1;
  Truth only = runs;
  only.cases = 1;
  Truth noisy{.samples = 20, .noise = 0.04, .dependence = 0.3, .common = 0.001, .own = 0.001};
  Truth nested{.common = 0.003, .own = 0.003, .node = 0.01, .node_case = 0.003, .nodes_a = 4};
  nested.nodes_b = 4;
  nested.shared_nodes = false;
  nested.runs = 8;
  Truth pairs = nested;
  pairs.shared_nodes = true;
  Truth confounded = nested;
  confounded.nodes_a = confounded.nodes_b = 1;
  struct World {
    const char* name;
    Truth truth;
  };
  const std::array kWorlds = {
      World{"A/A, 4 runs", with(runs, two, 1, false)},
      World{"A/A, 4 runs, margin 0", with(runs, none, 1, false)},
      World{"A/A, 4 runs, then those announced, margin 1 %", with(runs, one, 1, true)},
      World{"A/A, 4 runs, then those announced, margin 0", with(runs, none, 1, true)},
      World{"2 % slower, 4 runs, then those announced, margin 1 %", with(runs, one, 1.02, true)},
      World{"2 % slower, 4 runs, then those announced, margin 0", with(runs, none, 1.02, true)},
      World{"2 % slower, 3 runs, then those announced, margin 1 %", with(three, one, 1.02, true)},
      World{"2 % slower, one case, 4 runs, then those announced", with(only, one, 1.02, true)},
      World{"2 % slower, 4 runs of noisy samples, then those announced",
            with(noisy, one, 1.02, true)},
      World{"2 % slower, 1 run, then asked twice", with(single, one, 1.02, true)},
      World{"2 % slower, 1 run, spread stated, then those announced",
            with(single, stated, 1.02, true)},
      World{"A/A, 4 nodes a side, 2 runs on each, margin 0", with(nested, none, 1, false)},
      World{"A/A, both sides on 4 nodes, 2 runs on each, margin 0", with(pairs, none, 1, false)},
      World{"A/A, one node a side, 8 runs on each", with(confounded, two, 1, false)},
      World{"2 % slower, both sides on 4 nodes, then those announced",
            with(pairs, one, 1.02, true)}};
  const std::string_view wanted = argc > 2 ? argv[2] : "";
  for (const World& world : kWorlds) {
    if (std::string_view(world.name).find(wanted) == std::string_view::npos) continue;
    const auto r = stepmark::made::known_truth(world.truth);
    stepmark::write_stdout(fmt::format(
        R"({{"world": "{}", "comparisons": {}, "false_verdicts": {:.4f}, "found": {:.4f}, "same": {:.4f}, "announced": {:.4f}, "mean_runs": {:.1f}, "ratio_coverage": {:.4f}, "median_coverage": {:.4f}}})"
        "\n",
        world.name, comparisons, r.false_verdicts, r.found, r.same, r.announced, r.mean_runs,
        r.ratio_coverage, r.median_coverage));
  }
  return 0;
}
