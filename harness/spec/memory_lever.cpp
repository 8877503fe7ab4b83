// SPDX-License-Identifier: Apache-2.0
// Tries single changes in the order of what they cost the user, then all together, then more ranks,
// then a slice of the model. Each candidate must be legal and is asked for its memory by the
// caller's function.
#include "harness/spec/memory_lever.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace stepmark {
namespace {

class Search {
 public:
  Search(const Model& model, const Plan& plan, std::int64_t available, const MemoryOf& memory_of)
      : model_(model), plan_(plan), available_(available), memory_of_(memory_of) {}

  [[nodiscard]] std::optional<MemoryLever> tensor_parallel(std::int64_t limit) const {
    for (const Plan& wider : wider_plans(limit, /*same_ranks=*/true)) {
      if (auto lever = tried(wider, degrees(wider), "more tensor parallelism on the same ranks")) {
        return lever;
      }
    }
    return std::nullopt;
  }

  // The fewest pieces that fit, of pieces that a GEMM does not find small.
  [[nodiscard]] std::optional<MemoryLever> loss_chunks() const {
    constexpr std::int64_t kLeastTokens = 512;
    Plan plan = plan_;
    const std::int64_t tokens = plan.rank_tokens();
    for (std::int64_t pieces = 2; tokens / pieces >= kLeastTokens; pieces *= 2) {
      plan.loss_chunks = pieces;
      if (plan.loss_tokens() >= plan_.loss_tokens()) continue;
      if (auto lever = tried(plan, fmt::format("loss_chunks={}", pieces),
                             "fewer logits in memory at once")) {
        return lever;
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<MemoryLever> sequence_parallel() const {
    if (plan_.sequence_parallel) return std::nullopt;
    Plan plan = plan_;
    plan.sequence_parallel = true;
    return tried(plan, "sp=on", "sequence parallelism");
  }

  // Experts over more of the ranks that hold the same dense parameters.
  [[nodiscard]] std::optional<MemoryLever> expert_parallel() const {
    for (Plan plan = plan_; plan.ep < model_.experts;) {
      ++plan.ep;
      if (auto lever =
              tried(plan, fmt::format("ep={}", plan.ep), "experts spread over more ranks")) {
        return lever;
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<MemoryLever> sharded_state() const {
    Plan plan = plan_;
    if (!shard_state(plan)) return std::nullopt;
    return tried(plan, "zero=1", "the optimizer's state sharded over data-parallel ranks");
  }

  // Whole gradients are then gone before the next micro-step.
  [[nodiscard]] std::optional<MemoryLever> reduced_each_time() const {
    if (plan_.grad_sync != GradSync::last) return std::nullopt;
    Plan plan = plan_;
    plan.grad_sync = GradSync::every;
    return tried(plan, "grad_sync=every", "gradients reduced with every micro-batch");
  }

  // Parameters are then gathered for every micro-step, which costs more than what stands before it.
  [[nodiscard]] std::optional<MemoryLever> sharded_parameters() const {
    Plan plan = plan_;
    if (plan.gradient_ways() == 1 || plan.zero == 3) return std::nullopt;
    plan.zero = 3;
    plan.gather = ParamGather::end;
    return tried(plan, "zero=3", "parameters, gradients and state sharded (FSDP)");
  }

  // The batch stays what it was.
  [[nodiscard]] std::optional<MemoryLever> micro_batch() const {
    Plan plan = plan_;
    while (plan.micro_batch % 2 == 0) {
      plan.micro_batch /= 2;
      plan.accumulation *= 2;
      if (auto lever = tried(plan, batches(plan), "smaller micro-batches, more of them")) {
        return lever;
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<MemoryLever> bf16() const {
    if (plan_.precision == DType::bf16) return std::nullopt;
    Plan plan = plan_;
    plan.precision = DType::bf16;
    return tried(plan, "precision=bf16", "storage in bf16");
  }

  // Norms and activations again cost next to nothing, all of a layer a third of the step.
  [[nodiscard]] std::optional<MemoryLever> recompute(Recompute kind) const {
    if (plan_.recompute >= kind) return std::nullopt;
    Plan plan = plan_;
    plan.recompute = kind;
    return tried(plan, fmt::format("recompute={}", name_of(kind)),
                 kind == Recompute::full ? "layers computed again before their backward pass"
                                         : "outputs of norms and activations computed again");
  }

  // As far as each goes, on the same ranks or, for more tensor parallelism, on more.
  [[nodiscard]] std::optional<MemoryLever> together(std::int64_t limit, bool same_ranks) const {
    std::vector<Plan> starts(same_ranks ? 1 : 0, plan_);
    for (const Plan& wider : wider_plans(limit, same_ranks)) starts.push_back(wider);
    const char* what = same_ranks ? "all that saves memory on the same ranks" : "more ranks";
    for (Plan plan : starts) {
      const Plan wide = plan;
      if (!same_ranks) {
        if (auto lever = tried(wide, degrees(wide), what)) return lever;
      }
      while (plan.micro_batch % 2 == 0) {
        plan.micro_batch /= 2;
        plan.accumulation *= 2;
      }
      plan.precision = DType::bf16;
      plan.sequence_parallel = plan.tp > 1;
      if (plan.sequence_parallel && illegal(plan)) plan.sequence_parallel = false;
      std::string change = degrees(plan);
      if (plan.sequence_parallel) change += ",sp=on";
      if (shard_state(plan)) change += ",zero=1";
      if (plan.micro_batch != plan_.micro_batch) change += fmt::format(",{}", batches(plan));
      if (plan_.precision != DType::bf16) change += ",precision=bf16";
      if (auto lever = tried(plan, change, what)) return lever;
      if (plan.recompute == Recompute::full) continue;
      plan.recompute = Recompute::full;
      if (auto lever = tried(plan, change + ",recompute=full", what)) return lever;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<MemoryLever> slice() const {
    Plan plan = plan_;
    const std::int64_t too_few = plan.pp * plan.chunks - 1;  // a stage has a layer at least
    std::int64_t fits = too_few;
    std::int64_t too_many = plan_.layers > 0 ? plan_.layers : model_.layers;
    while (too_many - fits > 1) {
      plan.layers = fits + (too_many - fits) / 2;
      (memory_of_(plan) <= available_ ? fits : too_many) = plan.layers;
    }
    if (fits == too_few) return std::nullopt;
    plan.layers = fits;
    return tried(plan, fmt::format("layers={}", fits), "a slice of the model");
  }

 private:
  [[nodiscard]] std::int64_t ranks() const { return plan_.ranks(); }
  [[nodiscard]] bool illegal(const Plan& plan) const {
    return why_illegal(plan, model_, plan.ranks()).has_value();
  }
  // Whether there was something to shard.
  static bool shard_state(Plan& plan) {
    const bool shards = plan.gradient_ways() > 1 && plan.zero == 0;
    if (shards) plan.zero = 1;
    return shards;
  }
  static std::string degrees(const Plan& plan) { return degrees_text(plan); }
  static std::string batches(const Plan& plan) {
    return fmt::format("micro_batch={},accumulation={}", plan.micro_batch, plan.accumulation);
  }

  // Plans with more tensor parallelism, the narrowest first.
  [[nodiscard]] std::vector<Plan> wider_plans(std::int64_t limit, bool same_ranks) const {
    std::vector<Plan> plans;
    for (std::int64_t tp = plan_.tp + 1; tp <= limit; ++tp) {
      Plan plan = plan_;
      plan.tp = tp;
      const std::int64_t of_stage = ranks() / (plan_.cp * plan_.pp);
      if (same_ranks && of_stage % tp != 0) continue;
      if (!same_ranks && of_stage % tp == 0) continue;
      if (same_ranks) plan.dp = of_stage / tp;
      if (!illegal(plan)) plans.push_back(plan);
    }
    return plans;
  }

  [[nodiscard]] std::optional<MemoryLever> tried(const Plan& plan, std::string change,
                                                 std::string what) const {
    if (illegal(plan)) return std::nullopt;
    const std::int64_t bytes = memory_of_(plan);
    if (bytes > available_) return std::nullopt;
    return MemoryLever{.change = std::move(change),
                       .what = std::move(what),
                       .plan = plan,
                       .ranks = plan.ranks(),
                       .bytes = bytes};
  }

  const Model& model_;
  const Plan& plan_;
  std::int64_t available_;
  const MemoryOf& memory_of_;
};

}  // namespace

std::optional<MemoryLever> memory_lever(const Model& model, const Plan& plan,
                                        std::int64_t available, std::int64_t tp_limit,
                                        const MemoryOf& memory_of) {
  const std::int64_t limit = std::min(tp_limit, model.heads);
  const Search search(model, plan, available, memory_of);
  if (auto lever = search.tensor_parallel(limit)) return lever;
  if (auto lever = search.sequence_parallel()) return lever;
  if (auto lever = search.expert_parallel()) return lever;
  if (auto lever = search.sharded_state()) return lever;
  if (auto lever = search.reduced_each_time()) return lever;
  if (auto lever = search.loss_chunks()) return lever;
  if (auto lever = search.micro_batch()) return lever;
  if (auto lever = search.recompute(Recompute::selective)) return lever;
  if (auto lever = search.bf16()) return lever;
  if (auto lever = search.sharded_parameters()) return lever;
  if (auto lever = search.recompute(Recompute::full)) return lever;
  if (auto lever = search.together(limit, /*same_ranks=*/true)) return lever;
  if (auto lever = search.together(limit, /*same_ranks=*/false)) return lever;
  return search.slice();
}

}  // namespace stepmark
