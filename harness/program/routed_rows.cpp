// SPDX-License-Identifier: Apache-2.0
// Ranks see the same positions, and have the same experts, again and again: what one block of them
// does, the next one does as well.
#include "harness/program/routed_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "harness/program/routing.h"
#include "harness/spec/step_mesh.h"

namespace stepmark {
namespace {

using Positions = std::pair<std::int32_t, std::int64_t>;  // part of a sequence, first token

std::string way_of(const Plan& plan) {
  return fmt::format("{} {} {} {}", name_of(plan.routing), plan.routing_exponent, plan.routing_seed,
                     plan.seq);
}

}  // namespace

std::vector<std::int64_t> RoutedRows::rows_of(const Plan& plan, std::int64_t layer,
                                              std::int32_t rank) {
  const auto [found, fresh] = choices_.try_emplace({way_of(plan), layer});
  if (fresh) found->second = seeded_choices(model_, plan, layer);
  const auto counts = counts_of(choices_of_rank(found->second, model_, plan, rank), model_.experts);
  const std::int64_t experts = model_.experts / plan.ep;
  std::vector<std::int64_t> rows;
  for (auto at = counts.begin(); at != counts.end(); at += experts) {
    rows.push_back(std::accumulate(at, at + experts, std::int64_t{0}));
  }
  return rows;
}

RoutedRows::Most RoutedRows::most(const Plan& plan, std::span<const ModelStage> parts) {
  const StepMesh mesh(plan);
  const std::int64_t ways = mesh.expert_ways(), split = mesh.size_of(StepGroup::expert_tensor);
  const std::int64_t tensor = mesh.size_of(StepGroup::tensor), context = mesh.context_ways();
  std::string key = fmt::format("{} {} {} {} {} {}", way_of(plan), ways, split, tensor, context,
                                plan.micro_batch);
  for (const ModelStage& part : parts) key += fmt::format(" {}-{}", part.begin, part.end);
  const auto [known, fresh] = most_.try_emplace(key);
  Most& most = known->second;
  if (!fresh) return most;
  const auto block = static_cast<std::size_t>(std::lcm(tensor * context, ways * split));
  std::vector<std::vector<std::int32_t>> groups;  // by rank: the ones that have all experts
  std::vector<Positions> positions;
  for (std::int32_t rank = 0; groups.size() < block; ++rank) {
    groups.push_back(mesh.group(rank, StepGroup::expert));
    positions.emplace_back(mesh.context_part(rank), routed_tokens(plan, rank).first);
  }
  std::vector<std::int64_t> sent(block, 0), kept(block, 0), of_layer(block, 0), fullest(block, 0);
  const auto add_layer = [&](std::int64_t layer) {
    std::map<Positions, std::vector<std::int64_t>> rows_of_positions;
    std::fill(of_layer.begin(), of_layer.end(), 0);
    for (std::size_t rank = 0; rank < block; ++rank) {
      auto& rows = rows_of_positions[positions[rank]];
      if (rows.empty()) rows = rows_of(plan, layer, static_cast<std::int32_t>(rank));
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto to = static_cast<std::size_t>(groups[rank][i]);
        of_layer[to] += rows[i];
        if (to == rank) continue;
        sent[rank] += rows[i];
        sent[to] += rows[i];
      }
    }
    for (std::size_t rank = 0; rank < block; ++rank) {
      kept[rank] += of_layer[rank];
      fullest[rank] = std::max(fullest[rank], of_layer[rank]);
    }
    most.waited_for += *std::max_element(of_layer.begin(), of_layer.end());
  };
  for (const ModelStage& part : parts) {
    for (std::int64_t layer = part.begin; layer < part.end; ++layer) add_layer(layer);
  }
  const auto largest = [](const std::vector<std::int64_t>& of) {
    return static_cast<std::int32_t>(std::max_element(of.begin(), of.end()) - of.begin());
  };
  most.keeper = largest(kept);
  most.keeper_of_layer = largest(fullest);
  most.kept = *std::max_element(kept.begin(), kept.end());
  most.sent = *std::max_element(sent.begin(), sent.end());
  return most;
}

}  // namespace stepmark
