// SPDX-License-Identifier: Apache-2.0
// The commands are those that the journals say their runs were started with; replaced is what says
// how often, how long and which cases. What changes slowly on a machine must not look like a
// difference of the sides: they take turns, and which is first is drawn.
#include "results/compare/next_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/rng.h"
#include "results/compare/side_samples.h"

namespace stepmark {
namespace {

constexpr double kSlackOfBudget = 2;  // cases share a budget by weight, not by what they took
constexpr double kLeastBudget = 1;
constexpr double kMostBudget = 1e6;  // seconds; a file may say anything

// Options of `run` that a plan replaces, by the number of words behind them; -1: up to the next
// option.
struct Replaced {
  std::string_view name;
  int values;
};
constexpr std::array kReplaced = {Replaced{"--out", 1},         Replaced{"--repeat", 1},
                                  Replaced{"--repeat-over", 1}, Replaced{"--budget", 1},
                                  Replaced{"--only", -1},       Replaced{"--resume", 0},
                                  Replaced{"--json", 0}};
constexpr Replaced kPrecision{"--precision", 1};

bool is_option(const std::string& word, std::string_view name) {
  return word == name ||
         (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=');
}

void drop(std::vector<std::string>& words, const Replaced& option) {
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!is_option(words[i], option.name)) {
      kept.push_back(words[i]);
      continue;
    }
    if (words[i] != option.name) continue;  // --name=value
    int left = option.values;
    while (left != 0 && i + 1 < words.size() &&
           (option.values > 0 || !words[i + 1].starts_with("--"))) {
      ++i;
      --left;
    }
  }
  words = std::move(kept);
}

std::vector<std::string> hosts_of(const Run& run) {
  std::vector<std::string> out;
  std::string text = run.header.environment.get("placement", "ranks by host");
  while (!text.empty()) {
    const auto end = text.find(", ");
    out.push_back(text.substr(0, end));
    text = end == std::string::npos ? std::string{} : text.substr(end + 2);
  }
  return out.size() > 1 ? out : std::vector<std::string>{};
}

SideCommand command_of(const RunSide& side, int samples_factor) {
  const Run& run = side.runs.front();
  const auto& command = run.header.command;
  STEPMARK_REQUIRE(command.size() >= 2 && command[1] == "run",
                   "{} does not say how its run was started (no `stepmark run` in its first line): "
                   "plan its further runs by hand, from the counts of `stepmark compare`",
                   run.path);
  SideCommand out{.program = command.front(),
                  .words = {command.begin() + 1, command.end()},
                  .ranks = run.header.ranks,
                  .hosts = hosts_of(run)};
  for (const Replaced& option : kReplaced) drop(out.words, option);
  if (samples_factor > 1) drop(out.words, kPrecision);
  return out;
}

double config_number(const Run& run, const char* key) {
  const auto& config = run.header.config;
  const auto found = config.is_object() ? config.find(key) : config.end();
  return config.is_object() && found != config.end() && found->is_number() ? found->get<double>()
                                                                           : 0;
}

// Time that the cases took in the run that took longest, with slack, and never more than a run had.
double budget_of(const RunSide& side, const std::vector<std::string>& cases) {
  double longest = 0;
  double had = HUGE_VAL;
  for (const Run& run : side.runs) {
    double sum = 0;
    for (const std::string& id : cases) {
      double wall_s = 0;
      for (const Record* record : run.repetitions(id)) wall_s = std::max(wall_s, record->wall_s);
      sum += wall_s;
    }
    longest = std::max(longest, sum);
    const double budget_s = config_number(run, "budget_s") / std::max(1, run.header.repetitions);
    if (budget_s > 0) had = std::min(had, budget_s);
  }
  return std::max(kLeastBudget, std::min(had, kSlackOfBudget * longest));
}

std::string files_of(const RunSide& side) {
  std::string out;
  for (const Run& run : side.runs) {
    if (!out.empty()) out.push_back(',');
    out += run.path;
  }
  return out;
}

std::string joined(std::string files, const std::vector<NextRun>& order, bool candidate) {
  for (const NextRun& run : order) {
    if (run.candidate != candidate) continue;
    if (!files.empty()) files.push_back(',');
    files += run.out;
  }
  return files;
}

void finish(NextGroup& group, int baseline, int candidate, const Comparison& comparison,
            std::span<const RunSide> sides) {
  const RunSide& a = sides[0];
  const RunSide& b = sides[1];
  group.of_nodes = comparison.sides.front().nodes.level != Level::runs;
  const int have_a = comparison.sides.front().baseline_runs;
  const int have_b = comparison.sides.front().candidate_runs;
  group.baseline = command_of(a, group.samples_factor);
  group.candidate = command_of(b, group.samples_factor);
  const double of_run = std::max(budget_of(a, group.cases), budget_of(b, group.cases));
  group.budget_s = std::ceil(std::min(kMostBudget, group.samples_factor * of_run));
  const double precision = config_number(a.runs.front(), "precision");
  for (SideCommand* side : {&group.baseline, &group.candidate}) {
    auto& words = side->words;
    for (const std::string& id : group.cases) words.insert(words.end(), {"--only", id});
    words.insert(words.end(), {"--repeat", "1", "--budget",
                               fmt::format("{}s", static_cast<std::int64_t>(group.budget_s))});
    if (group.samples_factor > 1 && precision > 0) {
      // Half the width takes four times the samples; rounded down, in millionths.
      const double narrower = std::floor(1e6 * precision / std::sqrt(group.samples_factor)) / 1e6;
      words.insert(words.end(), {"--precision", fmt::format("{}", narrower)});
    }
  }
  group.seed = static_cast<std::uint64_t>(have_a) + static_cast<std::uint64_t>(have_b);
  group.order = in_turns(baseline, candidate, group.seed);
  const bool anew = group.need == Need::samples;
  const std::string longer = anew ? fmt::format("{}x-", group.samples_factor) : std::string{};
  int next_a = have_a;
  int next_b = have_b;
  for (NextRun& run : group.order) {
    int& next = run.candidate ? next_b : next_a;
    run.out = fmt::format("next-{}{}{}.smk", longer, run.candidate ? 'b' : 'a', ++next);
  }
  group.baseline_files = joined(anew ? std::string{} : files_of(a), group.order, false);
  group.candidate_files = joined(anew ? std::string{} : files_of(b), group.order, true);
}

}  // namespace

std::vector<NextRun> in_turns(int baseline, int candidate, std::uint64_t seed) {
  std::vector<NextRun> out;
  const int blocks = std::max(baseline, candidate);
  const Philox random(seed, 0);
  const auto among = [&](int block, int runs) {  // runs spread evenly over the blocks
    return (block + 1) * runs / blocks > block * runs / blocks;
  };
  for (int block = 0; block < blocks; ++block) {
    const bool drawn = random.u32(static_cast<std::uint64_t>(block) / 2) % 2 == 1;
    const bool candidate_first = drawn != (block % 2 == 1);
    for (const bool is_candidate : {candidate_first, !candidate_first}) {
      if (among(block, is_candidate ? candidate : baseline)) {
        out.push_back({.candidate = is_candidate, .out = {}});
      }
    }
  }
  return out;
}

NextRuns next_runs(const Comparison& comparison, std::span<const RunSide> sides) {
  STEPMARK_REQUIRE(sides.size() == 2,
                   "--plan-next plans two sides that take turns, got {}: leave all but two out",
                   sides.size());
  NextRuns out;
  NextGroup pooled{.need = Need::runs};
  NextGroup anew{.need = Need::samples};
  std::array<int, 2> more_pooled{};
  int runs_anew = 0;
  for (const CaseVerdict& c : comparison.sides.front().cases) {
    if (c.verdict != Verdict::undecided) continue;
    const ToDecide& need = c.to_decide;
    if (need.need == Need::no_runs) {
      out.hopeless.emplace_back(c.case_id, need.why);
    } else if (need.need == Need::samples) {
      anew.cases.push_back(c.case_id);
      anew.samples_factor = std::max(anew.samples_factor, need.samples_factor);
      runs_anew = std::max(runs_anew, need.runs);
    } else {
      pooled.need = need.need;
      pooled.cases.push_back(c.case_id);
      more_pooled[0] = std::max(more_pooled[0], need.more_baseline);
      more_pooled[1] = std::max(more_pooled[1], need.more_candidate);
    }
  }
  if (!pooled.cases.empty()) {
    finish(pooled, more_pooled[0], more_pooled[1], comparison, sides);
    out.groups.push_back(std::move(pooled));
  }
  if (!anew.cases.empty()) {
    finish(anew, runs_anew, runs_anew, comparison, sides);
    out.groups.push_back(std::move(anew));
  }
  return out;
}

}  // namespace stepmark
