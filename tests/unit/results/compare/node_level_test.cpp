// SPDX-License-Identifier: Apache-2.0
// Runs that name their hosts, through the whole comparison.
#include "results/compare/node_level.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "results/compare/compare.h"
#include "results/views/words/comparison_words.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

const char* const kStep = "step/tiny/dp2.tp2";

Run made(std::uint64_t seed, const std::string& host, double slowdown) {
  Run run = synthetic::run({.seed = seed, .slowdown = slowdown, .noise = 0.002, .timeline = false});
  run.path = fmt::format("{}.smk", seed);
  run.header.environment.facts.push_back(
      {.section = "placement", .name = "ranks by host", .value = host, .fingerprint = false});
  return run;
}

// A run per host, each as slow as its host.
RunSide side(const std::string& label, std::uint64_t seed,
             const std::vector<std::pair<std::string, double>>& runs) {
  RunSide out{.label = label};
  for (const auto& [host, slowdown] : runs) out.runs.push_back(made(seed++, host, slowdown));
  return out;
}

SideComparison compared(const RunSide& a, const RunSide& b, const CompareOptions& options = {}) {
  return compare(std::vector{a, b}, options).sides.at(0);
}

const CaseVerdict& step_of(const SideComparison& side) {
  const auto found = std::find_if(side.cases.begin(), side.cases.end(),
                                  [](const auto& c) { return c.case_id == kStep; });
  if (found == side.cases.end()) throw std::out_of_range(kStep);
  return *found;
}

TEST(NodeLevel, FollowsTheNames) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(node_level(Names{"a", "a"}, Names{"a"}).level, Level::runs);
  EXPECT_EQ(node_level(Names{"a", ""}, Names{"b"}).level, Level::runs) << "one says nothing";
  EXPECT_EQ(node_level(Names{"a", "b"}, Names{"b", "a"}).level, Level::node_pairs);
  EXPECT_TRUE(node_level(Names{"a", "a"}, Names{"b", "b"}).is_confounded());
  const auto nested = node_level(Names{"a", "a", "b"}, Names{"c", "d"});
  EXPECT_EQ(nested.level, Level::nodes);
  EXPECT_FALSE(nested.is_confounded());
  EXPECT_EQ(nested.baseline_nodes, 2);
  EXPECT_EQ(nested.baseline, (std::vector<std::size_t>{0, 0, 1}));
}

TEST(NodeLevel, OneHostIsAsIfNoneWereNamed) {
  const std::vector<std::pair<std::string, double>> same(3, {"a x4", 1.0});
  auto a = side("a", 1, same);
  auto b = side("b", 10, same);
  const auto named = step_of(compared(a, b));
  for (auto* one : {&a, &b}) {
    for (auto& run : one->runs) run.header.environment.facts.pop_back();
  }
  const auto unnamed = step_of(compared(a, b));
  EXPECT_EQ(named.verdict, unnamed.verdict);
  EXPECT_EQ(named.lower, unnamed.lower);
  EXPECT_EQ(named.upper, unnamed.upper);
}

TEST(NodeLevel, OneNodeEachIsConfoundedAndSaysSo) {
  const auto a = side("a", 1, std::vector<std::pair<std::string, double>>(4, {"a x4", 1.0}));
  const auto b = side("b", 10, std::vector<std::pair<std::string, double>>(4, {"b x4", 1.06}));
  const auto both = compared(a, b);
  EXPECT_EQ(step_of(both).verdict, Verdict::undecided) << "four runs on a node are one node";
  EXPECT_EQ(step_of(both).spread, Spread::generous);
  EXPECT_THAT(notes_text(both), Contains(HasSubstr("confounded with node")));
  EXPECT_EQ(need_text(step_of(both).to_decide), "+3 nodes?");
  CompareOptions options;
  options.of_nodes = true;
  const auto of_nodes = compared(a, b, options);
  EXPECT_EQ(step_of(of_nodes).verdict, Verdict::slower) << "the nodes are what is compared";
  EXPECT_THAT(notes_text(of_nodes), testing::Not(Contains(HasSubstr("confounded"))));
}

// Nodes that differ by 5 %, two runs on each: as independent runs they would show a difference.
TEST(NodeLevel, NodesCountAndNotTheirRuns) {
  const auto a = side(
      "a", 1, {{"n1", 1.0}, {"n1", 1.0}, {"n1", 1.0}, {"n2", 1.05}, {"n2", 1.05}, {"n2", 1.05}});
  const auto b = side(
      "b", 20, {{"n3", 1.1}, {"n3", 1.1}, {"n3", 1.1}, {"n4", 1.15}, {"n4", 1.15}, {"n4", 1.15}});
  const auto nodes = compared(a, b);
  EXPECT_EQ(nodes.nodes.level, Level::nodes);
  EXPECT_EQ(step_of(nodes).verdict, Verdict::undecided);
  EXPECT_LT(step_of(nodes).lower, 1.02);
  EXPECT_THAT(notes_text(nodes), Contains(HasSubstr("2 of the baseline and 2 of the candidate")));
  CompareOptions options;
  options.of_nodes = true;
  EXPECT_GT(step_of(compared(a, b, options)).lower, 1.02);
}

TEST(NodeLevel, EachNodeIsItsOwnControl) {
  const std::vector<double> nodes = {1, 1.1, 1.2, 1.3, 1.4, 1.5};
  std::vector<std::pair<std::string, double>> of_a;
  std::vector<std::pair<std::string, double>> of_b;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    of_a.emplace_back(fmt::format("n{}", n), nodes[n]);
    of_b.emplace_back(fmt::format("n{}", n), nodes[n] * 1.06);
  }
  std::reverse(of_b.begin(), of_b.end());
  const auto pairs = compared(side("a", 1, of_a), side("b", 20, of_b));
  EXPECT_EQ(pairs.nodes.level, Level::node_pairs);
  EXPECT_EQ(step_of(pairs).verdict, Verdict::slower);
  EXPECT_NEAR(step_of(pairs).ratio, 1.06, 0.01);
  EXPECT_THAT(notes_text(pairs), Contains(HasSubstr("the same 6 nodes")));
}

}  // namespace
}  // namespace stepmark
