// SPDX-License-Identifier: Apache-2.0
// Every combination of the table's values is asked of the rules of plans; data-parallel degree and
// accumulation follow from ranks and global batch.
#include "harness/program/plan_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/program/schedule/schedule.h"
#include "harness/spec/step_groups.h"

namespace stepmark {
namespace {

constexpr std::int64_t kMostMicroBatch = 8, kMostChunks = 8;

std::vector<std::string> divisors(const char* key, std::int64_t of, std::int64_t most) {
  std::vector<std::string> texts;
  for (std::int64_t d = 1; d <= std::min(of, most); ++d) {
    if (of % d == 0) texts.push_back(fmt::format("{}={}", key, d));
  }
  return texts;
}

std::vector<std::string> doubled(const char* key, std::int64_t most) {
  std::vector<std::string> texts;
  for (std::int64_t n = 1; n <= most; n *= 2) texts.push_back(fmt::format("{}={}", key, n));
  return texts;
}

std::vector<std::string> schedules() {
  std::vector<std::string> texts;
  for (const ScheduleInfo& info : all_schedules()) {
    texts.push_back(fmt::format("schedule={}", info.name));
  }
  return texts;
}

// What is varied, as texts of plans; the first axes are those that most combinations fail by.
std::vector<std::vector<std::string>> axes_of(const Model& model, const Plan& base,
                                              const PlanSpace& space) {
  const std::int64_t layers = base.layers > 0 ? base.layers : model.layers;
  const bool experts = model.experts > 0;
  return {
      divisors("tp", space.ranks, space.scale_up_domain),
      divisors("pp", space.ranks, layers),
      experts ? divisors("ep", model.experts, space.ranks) : std::vector<std::string>{""},
      experts ? divisors("etp", space.ranks, space.scale_up_domain) : std::vector<std::string>{""},
      doubled("micro_batch", std::min(space.global_batch, kMostMicroBatch)),
      schedules(),
      doubled("chunks", kMostChunks),
      {"zero=0", "zero=1", "zero=2", "zero=3", "zero=3,reshard=off"},
      {"", fmt::format("shard={}", space.scale_up_domain)},
      {"recompute=none", "recompute=selective", "recompute=full"},
  };
}

// How ranks exchange, which is not enumerated either: a plan has it of `base` where that is legal.
constexpr std::array<void (*)(Plan&, const Plan&), 7> kHow{
    [](Plan& plan, const Plan& base) { plan.p2p = base.p2p; },
    [](Plan& plan, const Plan& base) { plan.tp_overlap = base.tp_overlap; },
    [](Plan& plan, const Plan& base) { plan.tp_chunks = base.tp_chunks; },
    [](Plan& plan, const Plan& base) { plan.prefetch = base.prefetch; },
    [](Plan& plan, const Plan& base) { plan.grad_sync = base.grad_sync; },
    [](Plan& plan, const Plan& base) { plan.gather = base.gather; },
    [](Plan& plan, const Plan& base) { plan.reduce = base.reduce; }};

// The rest follows.
Plan completed(Plan plan, const PlanSpace& space) {
  plan.dp = std::max<std::int64_t>(1, space.ranks / (plan.tp * plan.cp * plan.pp));
  plan.accumulation = std::max<std::int64_t>(1, space.global_batch / (plan.dp * plan.micro_batch));
  plan.sequence_parallel = plan.tp > 1 && plan.rank_tokens() % plan.tp == 0;
  return plan;
}

// Of `base` what is not enumerated.
Plan unvaried(const Model& model, const Plan& base) {
  Plan plan = base.on_one_rank();
  plan.cp = base.cp;
  plan.cp_kind = base.cp_kind;
  if (plan.seq == 0) plan.seq = model.max_seq;
  return plan;
}

class Enumeration {
 public:
  Enumeration(const Model& model, const Plan& base, const PlanSpace& space)
      : model_(model), base_(base), space_(space), axes_(axes_of(model, base, space)) {}

  void from(const Plan& plan, std::size_t axis) {
    if (axis < axes_.size()) {
      for (const std::string& text : axes_[axis]) {
        const Plan next = parse_plan(text, plan);
        if (next.tp * next.cp * next.pp > space_.ranks || next.expert_tensor() > next.tp) continue;
        from(next, axis + 1);
      }
      return;
    }
    Plan whole = completed(plan, space_);
    if (whole.global_batch() != space_.global_batch) return;
    if (whole.gradient_ways() == 1 && whole.zero > 0) return;  // legal, and nothing is sharded
    if (why_illegal(whole, model_, space_.ranks)) return;
    for (const auto how : kHow) {
      Plan alike = whole;
      how(alike, base_);
      if (alike != whole && !why_illegal(alike, model_, space_.ranks)) whole = alike;
    }
    const Plan resolved = resolve(whole, model_, space_.ranks);
    if (seen_.insert(to_text(resolved)).second) plans_.push_back(resolved);
  }
  [[nodiscard]] std::vector<Plan> take() && { return std::move(plans_); }

 private:
  const Model& model_;
  const Plan& base_;
  const PlanSpace& space_;
  std::vector<std::vector<std::string>> axes_;
  std::set<std::string> seen_;
  std::vector<Plan> plans_;
};

}  // namespace

std::vector<Plan> legal_plans(const Model& model, const Plan& base, const PlanSpace& space) {
  Plan from = unvaried(model, base);
  from.dp = 0;
  Enumeration enumeration(model, base, space);
  enumeration.from(from, 0);
  return std::move(enumeration).take();
}

std::optional<std::string> why_base_illegal(const Model& model, const Plan& base,
                                            const PlanSpace& space) {
  Plan simplest = unvaried(model, base);
  simplest.dp = std::max<std::int64_t>(1, space.ranks / simplest.cp);
  return why_illegal(simplest, model, space.ranks);
}

const char* name_of(Tier tier) {
  constexpr std::array<const char*, 3> kNames{"scale-up", "scale-out", "both"};
  return kNames.at(static_cast<std::size_t>(tier));
}

std::map<std::string, Tier> tiers_of(const Model& model, const Plan& plan,
                                     std::int64_t scale_up_domain) {
  std::map<std::string, Tier> tiers;
  const StepGroups groups(model, plan);
  for (const std::string& name : groups.names()) {
    std::set<std::int64_t> domains;
    const std::vector<std::int32_t> ranks = groups.group(name, 0);
    for (const std::int32_t rank : ranks) domains.insert(rank / scale_up_domain);
    const Tier tier = domains.size() == 1              ? Tier::scale_up
                      : domains.size() == ranks.size() ? Tier::scale_out
                                                       : Tier::both;
    const auto [found, fresh] = tiers.try_emplace(name.substr(0, name.find('.')), tier);
    if (!fresh && found->second != tier) found->second = Tier::both;
  }
  return tiers;
}

}  // namespace stepmark
