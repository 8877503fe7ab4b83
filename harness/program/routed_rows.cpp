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
  std::string key = fmt::format("{} {} {} {} {} {}", way_of(plan), plan.ep, plan.expert_tensor(),
                                plan.tp, plan.cp, plan.micro_batch);
  for (const ModelStage& part : parts) key += fmt::format(" {}-{}", part.begin, part.end);
  const auto [known, fresh] = most_.try_emplace(key);
  if (!fresh) return known->second;
  const StepMesh mesh(plan);
  const std::int64_t block = std::lcm(plan.tp * plan.cp, plan.expert_tensor() * plan.ep);
  struct Rank {
    std::vector<std::int32_t> group;                  // that has all experts
    std::pair<std::int32_t, std::int64_t> positions;  // of its tokens: part and first
    std::int64_t sent = 0, kept = 0;
  };
  std::vector<Rank> ranks;
  for (std::int32_t rank = 0; rank < block; ++rank) {
    ranks.push_back({.group = mesh.group(rank, StepGroup::expert),
                     .positions = {mesh.context_part(rank), routed_tokens(plan, rank).first}});
  }
  for (const ModelStage& part : parts) {
    for (std::int64_t layer = part.begin; layer < part.end; ++layer) {
      std::map<std::pair<std::int32_t, std::int64_t>, std::vector<std::int64_t>> of_positions;
      for (std::int32_t rank = 0; rank < block; ++rank) {
        Rank& sender = ranks[static_cast<std::size_t>(rank)];
        auto& rows = of_positions[sender.positions];
        if (rows.empty()) rows = rows_of(plan, layer, rank);
        for (std::size_t i = 0; i < sender.group.size(); ++i) {
          Rank& receiver = ranks[static_cast<std::size_t>(sender.group[i])];
          receiver.kept += rows[i];
          if (sender.group[i] == rank) continue;
          sender.sent += rows[i];
          receiver.sent += rows[i];
        }
      }
    }
  }
  for (const Rank& rank : ranks) {
    known->second.sent = std::max(known->second.sent, rank.sent);
    known->second.kept = std::max(known->second.kept, rank.kept);
  }
  return known->second;
}

}  // namespace stepmark
