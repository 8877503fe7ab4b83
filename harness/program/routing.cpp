// SPDX-License-Identifier: Apache-2.0
// Draws without replacement by the cumulated popularity of experts, whose order a layer shuffles by
// the same seed.
#include "harness/program/routing.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/rng.h"
#include "harness/spec/param_layout.h"
#include "harness/spec/step_mesh.h"
#include "kernels/ops/context.h"

namespace stepmark {
namespace {

// Draws of one position before what is left is taken in order: an expert that nearly all want.
constexpr std::uint64_t kMostDraws = 1000;
constexpr std::uint64_t kOrder = 1;  // of streams of random numbers: positions follow

// Sums of popularities up to each rank of the order.
std::vector<double> cumulated(const Model& model, const Plan& plan) {
  std::vector<double> sums;
  double sum = 0;
  for (std::int64_t r = 1; r <= model.experts; ++r) {
    sum += plan.routing == Routing::zipf ? std::pow(static_cast<double>(r), -plan.routing_exponent)
                                         : 1.0;
    sums.push_back(sum);
  }
  return sums;
}

}  // namespace

RoutedTokens routed_tokens(const Plan& plan, std::int32_t rank) {
  const std::int64_t tokens = plan.rank_tokens();
  if (!plan.routes_shares()) return {.first = 0, .tokens = tokens};
  const StepMesh mesh(plan);
  // Of neighbours that share experts, each of which has its part of the group's tokens.
  const std::int64_t split = mesh.size_of(StepGroup::expert_tensor);
  const std::int64_t share = tokens / mesh.size_of(StepGroup::tensor) * split;
  return {
      .first = mesh.dense().coordinate(rank, StepMesh::name_of(StepGroup::tensor)) / split * share,
      .tokens = share};
}

std::vector<std::int32_t> seeded_choices(const Model& model, const Plan& plan, std::int64_t layer) {
  const auto seed = static_cast<std::uint64_t>(plan.routing_seed);
  const std::uint64_t stream = static_cast<std::uint64_t>(layer) << 32U;
  std::vector<std::int32_t> order(static_cast<std::size_t>(model.experts));
  std::iota(order.begin(), order.end(), 0);
  const Philox shuffle(seed, stream);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[shuffle.below(i, i)]);
  }
  const std::vector<double> sums = cumulated(model, plan);
  std::vector<std::int32_t> choices;
  choices.reserve(static_cast<std::size_t>(plan.seq * model.top_k));
  for (std::int64_t position = 0; position < plan.seq; ++position) {
    const Philox rng(seed, stream + kOrder + static_cast<std::uint64_t>(position));
    const auto begin = static_cast<std::ptrdiff_t>(choices.size());
    const auto add = [&](std::int32_t expert) {
      const bool fresh = std::find(choices.begin() + begin, choices.end(), expert) == choices.end();
      if (fresh) choices.push_back(expert);
    };
    const auto missing = [&] { return std::ssize(choices) - begin < model.top_k; };
    for (std::uint64_t draw = 0; missing() && draw < kMostDraws; ++draw) {
      const double at = rng.uniform(draw) * sums.back();
      const auto found = std::upper_bound(sums.begin(), sums.end() - 1, at);
      add(order[static_cast<std::size_t>(found - sums.begin())]);
    }
    for (std::size_t i = 0; missing(); ++i) add(order[i]);
  }
  return choices;
}

std::vector<std::int32_t> choices_of_rank(const std::vector<std::int32_t>& choices,
                                          const Model& model, const Plan& plan, std::int32_t rank) {
  const StepMesh mesh(plan);
  const RoutedTokens routed = routed_tokens(plan, rank);
  std::vector<std::int32_t> own;
  own.reserve(static_cast<std::size_t>(routed.tokens * model.top_k));
  for (std::int64_t i = routed.first; i < routed.first + routed.tokens; ++i) {
    const std::int64_t token = i % plan.rank_seq();
    const std::int64_t position = plan.cp > 1 ? position_in_sequence(plan.rank_seq() / 2, plan.cp,
                                                                     mesh.context_part(rank), token)
                                              : token;
    const auto first = choices.begin() + position * model.top_k;
    own.insert(own.end(), first, first + model.top_k);
  }
  return own;
}

std::vector<std::int64_t> counts_of(const std::vector<std::int32_t>& choices,
                                    std::int64_t experts) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(experts), 0);
  for (const std::int32_t expert : choices) ++counts[static_cast<std::size_t>(expert)];
  return counts;
}

RoutingLoad routing_load(const Model& model, const Plan& plan) {
  const std::int64_t layers = plan.layers > 0 ? plan.layers : model.layers;
  const std::int64_t of_rank = model.experts / plan.ep;
  RoutingLoad load{.of_expert = 0, .of_rank = 0};
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const auto counts = counts_of(seeded_choices(model, plan, layer), model.experts);
    const auto all = static_cast<double>(plan.seq * model.top_k);
    std::int64_t most = 0;
    for (auto rank = counts.begin(); rank != counts.end(); rank += of_rank) {
      most = std::max(most, std::accumulate(rank, rank + of_rank, std::int64_t{0}));
    }
    const auto most_of_expert =
        static_cast<double>(*std::max_element(counts.begin(), counts.end()));
    load.of_expert += most_of_expert * static_cast<double>(model.experts) / all;
    load.of_rank += static_cast<double>(most) * static_cast<double>(plan.ep) / all;
  }
  load.of_expert /= static_cast<double>(layers);
  load.of_rank /= static_cast<double>(layers);
  return load;
}

}  // namespace stepmark
