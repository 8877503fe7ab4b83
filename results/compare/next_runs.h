// SPDX-License-Identifier: Apache-2.0
// The runs that would decide what a comparison left undecided, as commands in an order in which
// both sides take turns.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "results/compare/compare.h"

namespace stepmark {

// How a side's runs are started again: the words behind `stepmark`, without journal and cases, and
// where the runs were.
struct SideCommand {
  std::string program;
  std::vector<std::string> words;  // "run", ...
  int ranks = 1;
  std::vector<std::string> hosts;  // "name x8" of the first run, if it names several
};

struct NextRun {
  bool candidate = false;
  std::string out;  // journal
};

// Cases that the same runs decide.
struct NextGroup {
  Need need = Need::runs;
  std::vector<std::string> cases;
  int samples_factor = 1;
  bool of_nodes = false;  // further runs count only on nodes that the side was not on
  double budget_s = 0;    // of a run
  SideCommand baseline, candidate;
  std::uint64_t seed = 0;      // of the order
  std::vector<NextRun> order;  // in which they are to be made
  // Journals of the comparison afterwards, each side's joined by commas.
  std::string baseline_files, candidate_files;
};

struct NextRuns {
  std::vector<NextGroup> groups;
  std::vector<std::pair<std::string, std::string>> hopeless;  // case, and why no runs decide it
};

// Error(kUsage) where there are not two sides, and where a journal does not say how its run was
// started.
[[nodiscard]] NextRuns next_runs(const Comparison& comparison, std::span<const RunSide> sides);

// Runs of both sides taking turns: in blocks with one of each, as far as they go, in every two of
// which each side is once the first; drawn by the seed. Journals are named behind the runs that a
// side has: "next-a4.smk".
[[nodiscard]] std::vector<NextRun> in_turns(int baseline, int candidate, std::uint64_t seed);

}  // namespace stepmark
