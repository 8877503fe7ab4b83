// SPDX-License-Identifier: Apache-2.0
// Axis by axis a value is drawn and kept if the plan is legal with it: which values go together is
// nowhere said again. Degrees of data parallelism and the micro-batch follow from ranks and global
// batch.
#include "tests/equivalence_steps/mixed_plans.h"

#include <fmt/format.h>

#include <optional>

#include "core/error.h"
#include "core/rng.h"

namespace stepmark {
namespace {

constexpr std::int64_t kGlobalBatch = 8;
constexpr std::int64_t kFewestForms = 2;
constexpr std::uint64_t kMostTries = 1000, kMostAxes = 64, kMostRanks = 1024;

// The plan of a drawn text, or nothing where the rules have something against it.
std::optional<Plan> legal_plan(const std::string& text, const Model& model, std::int64_t world) {
  // Where a gradient is rounding alone AdamW's update is that of another sign, by the rate.
  Plan plan = filled(parse_plan(text, parse_plan("seq=16,lr=3e-4")), world);
  const std::int64_t ways = plan.dp * plan.accumulation;
  if (kGlobalBatch % ways != 0) return std::nullopt;
  plan.micro_batch = kGlobalBatch / ways;
  if (why_illegal(plan, model, world)) return std::nullopt;
  return resolve(plan, model, world);
}

// Whether a text asks for what models with experts have.
bool asks_for_experts(const Plan& plan) {
  return plan.ep > 1 || plan.etp > 0 || plan.routing != Routing::router;
}

// A stage of the plan has one layer more than the others; without stages there are two.
Model small_model(bool llama, bool tied, const std::string& text) {
  Model model = equivalence_model(llama ? ModelFamily::llama : ModelFamily::gpt2, tied);
  model.layers = parse_plan(text).model_stages() + 1;
  model.hidden = 32;
  model.head_dim = 2;
  model.ffn = llama ? 88 : 128;
  model.vocab = 203;
  if (llama && asks_for_experts(parse_plan(text))) {
    model.name += "_experts";
    model.experts = 8;
    model.top_k = 2;
    model.aux_loss = 0.5;
  }
  return model;
}

}  // namespace

const std::vector<DrawnAxis>& drawn_axes() {
  static const std::vector<DrawnAxis> kAxes{
      {"tp", {"1", "2", "4", "8"}},
      {"pp", {"1", "2", "4"}},
      {"sp", {"off", "on"}},
      {"ep", {"1", "2", "4"}},
      {"etp", {"", "1", "2"}},
      {"accumulation", {"1", "2", "4", "8"}},
      {"schedule", {"1f1b", "gpipe", "interleaved,chunks=2", "zb-h1"}},
      {"zero", {"0", "1", "2", "3"}},
      {"shard", {"", "2", "4"}},
      {"reshard", {"on", "off"}},
      {"gather", {"end", "forward"}},
      {"bucket_mib", {"25", "0.02"}, false},
      {"loss_chunks", {"", "2"}, false},
      {"clip", {"0", "0.5"}, false},
      {"optimizer_overlap", {"off", "on"}, false},
      {"recompute", {"none", "selective", "full"}},
      {"cp", {"1", "2", "4"}},
      {"cp_kind", {"allgather", "ring", "ulysses"}},
      {"tp_overlap", {"on", "off"}, false},
      {"prefetch", {"on", "off"}, false},
      {"tp_chunks", {"1", "2", "4"}},
      {"grad_sync", {"every", "last"}},
      {"p2p", {"single", "batched"}},
      {"routing", {"router", "uniform", "zipf"}},
  };
  return kAxes;
}

MixedPlan draw_mixed_plan(std::uint64_t seed, std::uint64_t index, std::int64_t world) {
  const Philox rng(seed, index * kMostRanks + static_cast<std::uint64_t>(world));
  for (std::uint64_t attempt = 0; attempt < kMostTries; ++attempt) {
    // An axis that is added at the end changes no other draw.
    std::uint64_t next = attempt * kMostAxes;
    MixedPlan mixed{.model = {}, .plan = {}, .text = {}, .drawn = {}};
    const bool llama = rng.below(next++, 2) == 0, tied = rng.below(next++, 2) == 0;
    std::int64_t forms = 0;
    for (const DrawnAxis& axis : drawn_axes()) {
      std::string_view value = axis.values[rng.below(next++, axis.values.size())];
      const auto text_with = [&](std::string_view drawn) {
        if (drawn.empty()) return mixed.text;
        return fmt::format("{}{}{}={}", mixed.text, mixed.text.empty() ? "" : ",", axis.key, drawn);
      };
      if (!legal_plan(text_with(value), small_model(llama, tied, text_with(value)), world)) {
        value = axis.values.front();
      }
      mixed.text = text_with(value);
      mixed.drawn.push_back(value);
      if (axis.form && value != axis.values.front()) ++forms;
    }
    mixed.model = small_model(llama, tied, mixed.text);
    const auto plan = legal_plan(mixed.text, mixed.model, world);
    if (!plan || forms < kFewestForms) continue;
    mixed.plan = *plan;
    return mixed;
  }
  throw Error(ExitCode::kUsage, fmt::format("no plan on {} ranks in {} draws", world, kMostTries));
}

}  // namespace stepmark
