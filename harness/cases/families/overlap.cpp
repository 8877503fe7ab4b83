// SPDX-License-Identifier: Apache-2.0
// Family `overlap`: GEMMs beside a collective, against each alone. Both sides are repeated until
// they take about the same time; what is timed lies between the events around each side's ops. On
// one rank `occupy`, a kernel that holds as many blocks as a collective would and does nothing,
// takes the collective's place: what it costs the GEMM is the price of the room alone. Typed in a
// suite, or taken from the program of a workload's plan, group by group.
#include "harness/cases/families/overlap.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/families/step.h"
#include "harness/cases/family.h"
#include "harness/cases/kernel_check.h"
#include "harness/cases/overlap_programs.h"
#include "harness/cases/plan_overlap.h"
#include "harness/cases/plan_traffic.h"
#include "harness/program/step.h"
#include "harness/spec/step_groups.h"
#include "kernels/ops/gemm.h"
#include "results/families/overlap.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

constexpr double kSampleSeconds = 2e-3;
constexpr std::int64_t kMaxCalls = 512;
// A second: where GEMMs take longer, on hosts, the stand-in ends before they do.
constexpr std::int64_t kMaxOccupyNs = std::int64_t{1} << 30;
static_assert(kMaxOccupyNs <= std::numeric_limits<std::int32_t>::max(), "dims of ops are 32-bit");
constexpr double kTogetherShare = 0.4;  // of the budget; the rest for each side alone
constexpr const char* kAxis = "world";

bool lists(const CommFacts& facts, std::string_view name) {
  return std::any_of(facts.begin(), facts.end(),
                     [&](const auto& fact) { return fact.first == name; });
}

class OverlapCase final : public Case {
 public:
  // A GEMM and a call of the program of a plan, which follow when it is known on which device.
  OverlapCase(const Workload& workload, const Plan& plan, std::string group,
              const OverlapSpec& limits)
      : spec_(limits),
        of_plan_(OfPlan{.workload = workload.name,
                        .model = sliced(workload.model, plan),
                        .plan = plan,
                        .group = std::move(group)}) {
    const std::string ending = fmt::format("{}/ctas{}/{}", of_plan_->group, spec_.ctas, priority());
    id_ = fmt::format("overlap/{}/{}/{}", workload.name, short_name(plan), ending);
    definition_ = fmt::format("overlap/{}/{}/{}", workload.name, to_text(plan), ending);
  }
  OverlapCase(const OverlapSpec& spec, int world_size) : spec_(spec) {
    const auto gemm = unpack<GemmShape>(spec.gemm);
    std::string what = "occupy";
    if (spec.kind) {
      what = fmt::format("{}/{}", name_of(*spec.kind), exact_bytes(spec.bytes));
    }
    const auto with = [&](const std::string& beside) {
      return fmt::format("overlap/{}/gemm{}x{}x{}/{}/ctas{}/{}/world{}", beside, gemm.m, gemm.n,
                         gemm.k, name_of(spec.gemm.dtype), spec.ctas, priority(), world_size);
    };
    id_ = with(what);
    definition_ = id_;
    if (!spec.kind) return;
    const CollectiveSetup setup{.size_bytes = spec.bytes, .dtype = spec.gemm.dtype};
    const std::int64_t whole = collective(*spec.kind).sizes(setup, world_size).size_bytes;
    definition_ = with(fmt::format("{}/{}", name_of(*spec.kind), exact_bytes(whole)));
  }

  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string definition() const override { return definition_; }
  [[nodiscard]] std::string_view family() const override { return facts::overlap::kFamily; }
  [[nodiscard]] double weight() const override { return 2.0; }

  [[nodiscard]] Record run(CaseContext& context) override {
    Record record;
    group_ = world_group(kAxis, context.control);
    if (of_plan_ && !take_from_program(record, context)) return record;
    describe(record, context);
    if (!fits(record, context)) return record;
    const int color = talks() ? group_.ranks.front() : -1;
    auto comm = context.world.split(color, group_.index,
                                    {.max_ctas = spec_.kind ? static_cast<int>(spec_.ctas) : 0});
    if (comm == nullptr) comm = context.world.alone();
    add_comm_facts(record, comm->facts());
    if (is_duplicate(record, context, *comm)) return record;
    OneComm comms(group_.axis, *comm);
    if (!check_against_reference(record, context, OpId::gemm, spec_.gemm.dtype)) return record;

    const OverlapWork work = equal_work(context, comms);
    record.numbers.emplace_back(facts::overlap::kGemmCalls, static_cast<double>(work.gemms));
    record.numbers.emplace_back(facts::overlap::kCommCalls, static_cast<double>(work.comms));
    if (!spec_.kind) {
      record.numbers.emplace_back(facts::overlap::kOccupyS,
                                  static_cast<double>(work.occupy_ns) * 1e-9);
    }

    const StopRule rule = context.rule;
    std::vector<std::byte> alone;
    {
      OverlapRun compute = prepared(context, comms, {.gemms = work.gemms});
      sample_alone(record, context, compute, facts::overlap::kComputeAloneS, rule);
      alone = compute.gemm_result();
    }
    {
      OverlapWork only = work;
      only.gemms = 0;
      OverlapRun comm_run = prepared(context, comms, only);
      if (!check_comm(record, context, comm_run, "alone before timing", /*fresh=*/true)) {
        return record;
      }
      sample_alone(record, context, comm_run, facts::overlap::kCommAloneS, rule);
    }
    OverlapRun both = prepared(context, comms, work);
    if (!check_comm(record, context, both, "together before timing", /*fresh=*/true)) return record;
    context.rule = share_of(rule, kTogetherShare);
    sample_together(record, context, both);
    context.rule = rule;
    if (!check_comm(record, context, both, "together after timing", /*fresh=*/false)) return record;
    add_check(record, "GEMM together as alone, bit for bit",
              all_ranks(context.control, both.gemm_result() == alone),
              fmt::format("{} bytes", alone.size()));
    return record;
  }

 private:
  [[nodiscard]] const char* priority() const { return spec_.high_priority ? "high" : "normal"; }

  // Without what is as usual.
  [[nodiscard]] std::string title() const {
    std::string text = "occupy";
    if (spec_.kind) {
      text = fmt::format("{} {}", name_of(*spec_.kind),
                         format_bytes(static_cast<double>(spec_.bytes)));
    }
    if (of_plan_) {
      text = fmt::format("{}/{} {} {}", of_plan_->workload, short_name(of_plan_->plan),
                         of_plan_->group, text);
    }
    if (spec_.ctas > 0) text += fmt::format(" {} CTAs", spec_.ctas);
    return text + (spec_.high_priority ? " high" : "");
  }

  // Whether this rank calls the collective: groups of a plan may leave ranks alone.
  [[nodiscard]] bool talks() const { return !of_plan_ || group_.ranks.size() > 1; }

  // Both sides and this rank's group, from the program; false where they cannot be measured.
  bool take_from_program(Record& record, CaseContext& context) {
    const Program program =
        unfused_step_program(of_plan_->model, of_plan_->plan, context.control.rank(),
                             context.executor.device().traits());
    const PlanSides sides = sides_of_plan(context.control, program, of_plan_->group);
    const auto not_measured = [&](std::string reason) {
      record.outcome = Outcome::not_measured;
      record.reason = std::move(reason);
      return false;
    };
    if (!sides.comm) return not_measured(fmt::format("nobody talks in {}", of_plan_->group));
    const auto size = checked_size(*sides.comm, sides.group_ranks);
    const std::string_view verb = name_of(sides.comm->verb);
    if (!size) {
      return not_measured(
          fmt::format("{}: no check of its elements for {}", of_plan_->group, verb));
    }
    group_ = program.group(of_plan_->group);
    spec_.gemm = sides.gemm;
    spec_.kind = collective_from(verb);
    spec_.bytes = *size;
    spec_.comm_dtype = sides.comm->dtype;
    spec_.op = sides.comm->op;
    record.texts.emplace_back(facts::overlap::kWorkload, of_plan_->workload);
    record.texts.emplace_back(facts::overlap::kPlan, to_text(of_plan_->plan));
    record.texts.emplace_back(facts::overlap::kGroup, of_plan_->group);
    record.texts.emplace_back(facts::overlap::kCommDtype, std::string(name_of(spec_.comm_dtype)));
    record.numbers.emplace_back(facts::overlap::kGroupRanks, sides.group_ranks);
    return true;
  }

  // Whether the operands of both sides, on all ranks of a host, are less than it has.
  bool fits(Record& record, CaseContext& context) const {
    const OverlapWork once{.gemms = 1, .comms = talks() ? 1 : 0};
    const auto own = static_cast<double>(overlap_bytes(spec_, once, group_));
    const double needed =
        max_over_ranks(context.control, own) * static_cast<double>(context.control.local_size());
    const auto limit = static_cast<double>(context.memory_limit_bytes);
    if (all_ranks(context.control, limit == 0 || needed <= limit)) return true;
    const auto [need, have] = format_bytes_alike(needed, limit);
    record.outcome = Outcome::not_measured;
    record.reason = fmt::format(
        "operands of both sides need {} on a host that has {}; take {}", need, have,
        of_plan_ ? "a smaller micro_batch or seq in the plan" : "a smaller GEMM, or fewer bytes");
    return false;
  }

  [[nodiscard]] OverlapRun prepared(CaseContext& context, CommSet& comms, OverlapWork work) const {
    if (!talks()) work.comms = 0;
    return {context.executor, comms, spec_, work, group_, context.seed};
  }

  // Where the device or the library has no such thing, the case is another one measured again.
  bool is_duplicate(Record& record, CaseContext& context, const Comm& comm) const {
    const auto skip = [&](const std::string& label, const std::string& reason) {
      record.outcome = Outcome::skipped;
      record.labels.push_back(label);
      record.reason = reason;
      return true;
    };
    if (spec_.kind && spec_.ctas > 0 &&
        !all_ranks(context.control, lists(comm.facts(), "max_ctas"))) {
      return skip("CTA limit requested, not applied",
                  fmt::format("CTA limit {} requested, not applied: {} has none; the case without "
                              "a limit is the same",
                              spec_.ctas, comm.backend()));
    }
    // Of the backends only the host has streams without priorities.
    if (spec_.high_priority && context.executor.device().backend() == "host") {
      return skip("stream priority requested, not applied",
                  "high stream priority requested, not applied: the host has none; the case of "
                  "normal priority is the same");
    }
    return false;
  }

  // Rank 0 decides, from what one of each takes alone.
  [[nodiscard]] OverlapWork equal_work(CaseContext& context, CommSet& comms) const {
    constexpr std::int64_t kBriefNs = 1000;
    if (context.options.verify_only) {
      return {.gemms = 1, .comms = 1, .occupy_ns = spec_.kind ? 0 : kBriefNs};
    }
    const auto one = [&](const OverlapWork& work) {
      OverlapRun run = prepared(context, comms, work);
      return typical_seconds(context.control, run.runnable());
    };
    const double gemm_s = one({.gemms = 1});
    const double comm_s = spec_.kind ? one({.comms = 1}) : 0.0;
    OverlapWork work;
    const double target_s = std::max({kSampleSeconds, gemm_s, comm_s});
    work.gemms = decided_count(context.control, target_s / gemm_s, kMaxCalls);
    const double compute_s = static_cast<double>(work.gemms) * gemm_s;
    if (spec_.kind) {
      work.comms = decided_count(context.control, compute_s / comm_s, kMaxCalls);
    } else {
      work.comms = 1;
      work.occupy_ns = decided_count(context.control, compute_s * 1e9, kMaxOccupyNs);
    }
    return work;
  }

  void sample_alone(Record& record, CaseContext& context, OverlapRun& run, const char* series,
                    const StopRule& rule) const {
    sample_series(record, context, series, share_of(rule, (1.0 - kTogetherShare) / 2), [&] {
      run.runnable().run_traced();
      return extent_s(run.runnable().program(), run.runnable().timeline());
    });
  }

  void sample_together(Record& record, CaseContext& context, OverlapRun& both) const {
    std::vector<double> compute;
    std::vector<double> comm;
    const Program& program = both.runnable().program();
    const std::vector<int> calls = sample_into(record, context, [&] {
      both.runnable().run_traced();
      const Timeline timeline = both.runnable().timeline();
      compute.push_back(extent_s(program, timeline, kOverlapComputeStream));
      comm.push_back(extent_s(program, timeline, spec_.comm_stream()));
      return extent_s(program, timeline);
    });
    add_side_series(record, context, facts::overlap::kComputeTogetherS, compute, calls);
    add_side_series(record, context, facts::overlap::kCommTogetherS, comm, calls);
  }

  // fresh: on poisoned buffers after one run; else what the timed runs left.
  bool check_comm(Record& record, CaseContext& context, OverlapRun& run, const std::string& when,
                  bool fresh) const {
    if (fresh) {
      run.refill();
      context.control.barrier();
      run.runnable().run_traced();
    }
    if (spec_.kind) {
      Verification nothing;
      nothing.moves_data = false;
      return add_verification(record, context.control, "every element exact " + when,
                              run.verify_comm().value_or(nothing));
    }
    return add_check(record, "every block came to its end " + when,
                     all_ranks(context.control, run.all_done()),
                     fmt::format("{} blocks", spec_.ctas));
  }

  void describe(Record& record, const CaseContext& context) const {
    record.texts.emplace_back(facts::kTitle, title());
    record.texts.emplace_back(facts::overlap::kGemm, to_text(spec_.gemm));
    const auto gemm = unpack<GemmShape>(spec_.gemm);
    record.texts.emplace_back(
        facts::overlap::kGemmTitle,
        fmt::format("{} {}x{}x{}", name_of(spec_.gemm.dtype), gemm.m, gemm.n, gemm.k));
    record.texts.emplace_back(facts::kDtype, std::string(name_of(spec_.gemm.dtype)));
    record.texts.emplace_back(facts::overlap::kPriority, priority());
    record.texts.emplace_back(facts::kLibrary, std::string(context.world.backend()));
    record.numbers.emplace_back(facts::kRanks, context.control.size());
    record.numbers.emplace_back(facts::overlap::kFlops, flops_of(spec_.gemm));
    if (!spec_.kind) {
      record.texts.emplace_back(facts::overlap::kBeside, "occupy");
      record.numbers.emplace_back(facts::overlap::kOccupyCtas, static_cast<double>(spec_.ctas));
      return;
    }
    record.texts.emplace_back(facts::overlap::kBeside, std::string(name_of(*spec_.kind)));
    record.texts.emplace_back(facts::overlap::kCollective, std::string(name_of(*spec_.kind)));
    record.numbers.emplace_back(facts::overlap::kMaxCtasRequested, static_cast<double>(spec_.ctas));
    const std::int64_t bytes =
        talks() ? make_traffic(spec_, group_, context.seed).sizes.size_bytes : spec_.bytes;
    record.numbers.emplace_back(facts::overlap::kSizeBytes, static_cast<double>(bytes));
  }

  struct OfPlan {
    std::string workload;
    Model model;
    Plan plan;
    std::string group;
  };
  OverlapSpec spec_;
  std::optional<OfPlan> of_plan_;
  Group group_;                  // of the collective; known when the case runs
  std::string id_, definition_;  // with the size as asked for, and in whole elements
};

}  // namespace

void OverlapEntry::expand(const SuiteWorld& world, Expansion& expansion) const {
  std::vector<OverlapSpec> specs;
  const OverlapSpec base{
      .gemm = pack(GemmShape{.m = m, .n = n, .k = k}, dtype), .kind = {}, .comm_dtype = dtype};
  const auto each_priority = [&](OverlapSpec spec) {
    for (const std::string& priority : priorities) {
      spec.high_priority = priority == "high";
      specs.push_back(spec);
    }
  };
  if (world.size == 1) {
    for (const std::int64_t ctas : occupy_ctas) {
      OverlapSpec spec = base;
      spec.ctas = ctas;
      each_priority(spec);
    }
  } else {
    for (const CollectiveKind kind : kinds) {
      for (const std::int64_t size : bytes) {
        const CollectiveSetup setup{.size_bytes = size, .dtype = dtype};
        if (collective(kind).sizes(setup, world.size).verb_count == 0) {
          expansion.remarks.push_back(fmt::format("overlap with {} {}: no element in {}: dropped",
                                                  name_of(kind), name_of(dtype),
                                                  exact_bytes(size)));
          continue;
        }
        for (const std::int64_t ctas : max_ctas) {
          OverlapSpec spec = base;
          spec.kind = kind;
          spec.bytes = size;
          spec.ctas = ctas;
          each_priority(spec);
        }
      }
    }
  }
  for (const OverlapSpec& spec : specs) {
    expansion.cases.push_back(std::make_unique<OverlapCase>(spec, world.size));
  }
}

void PlanOverlapEntry::expand(const SuiteWorld& world, Expansion& expansion) const {
  const auto add = [&](const Workload& workload, const Plan& plan) {
    const StepGroups groups(sliced(workload.model, plan), plan);
    if (groups.names().empty()) {
      expansion.remarks.push_back(
          fmt::format("nothing beside the GEMMs of {}/{}: ranks do not talk at all", workload.name,
                      short_name(plan)));
    }
    for (const std::string& group : groups.names()) {
      for (const std::int64_t ctas : max_ctas) {
        for (const std::string& priority : priorities) {
          const OverlapSpec limits{
              .gemm = {}, .kind = {}, .ctas = ctas, .high_priority = priority == "high"};
          expansion.cases.push_back(std::make_unique<OverlapCase>(workload, plan, group, limits));
        }
      }
    }
  };
  expand_legal_plan(facts::overlap::kFamily, of, world, expansion, add);
}

namespace {

std::vector<std::int64_t> read_max_ctas(YamlMap& map) {
  std::vector<std::int64_t> ctas = map.optional_ints("max_ctas", {.min = 0, .max = 1024});
  if (ctas.empty()) ctas = {0};
  return ctas;
}

std::vector<std::string> read_priorities(YamlMap& map) {
  static constexpr std::array<std::string_view, 2> kPriorities{"normal", "high"};
  std::vector<std::string> priorities = map.optional_strings("priority");
  for (const std::string& text : priorities) {
    if (std::find(kPriorities.begin(), kPriorities.end(), text) == kPriorities.end()) {
      map.fail("priority", fmt::format("'{}': expected normal or high", text));
    }
  }
  if (priorities.empty()) priorities = {"normal"};
  return priorities;
}

}  // namespace

SuiteEntry read_overlap_entry(YamlMap& map) {
  if (map.has("workload")) {
    refuse_typed(map, "workload", {"gemm", "collectives", "bytes", "dtype", "occupy_ctas"});
    return PlanOverlapEntry{.of = read_workload_plans(map),
                            .max_ctas = read_max_ctas(map),
                            .priorities = read_priorities(map)};
  }
  if (map.has("plan")) map.fail("plan", "a plan is of a workload: name it by 'workload'");
  OverlapEntry entry;
  YamlMap gemm = map.required_map("gemm");
  for (const auto& [key, dim] :
       {std::pair{"m", &entry.m}, std::pair{"n", &entry.n}, std::pair{"k", &entry.k}}) {
    *dim = gemm.required_int(key, {.min = 1, .max = 1 << 20});
  }
  gemm.finish();
  entry.dtype = read_dtype(map);
  entry.kinds = converted<CollectiveKind>(map, "collectives", [&](const std::string& text) {
    const CollectiveKind kind = collective_from(text);
    STEPMARK_REQUIRE(
        std::find(kProgramVerbs.begin(), kProgramVerbs.end(), text) != kProgramVerbs.end(),
        "'{}' cannot stand beside a GEMM; expected {}", text, fmt::join(kProgramVerbs, ", "));
    return kind;
  });
  if (entry.kinds.empty()) map.fail("collectives", "name at least one collective");
  entry.bytes = converted<std::int64_t>(map, "bytes", parse_positive_bytes);
  if (entry.bytes.empty()) map.fail("bytes", "name at least one size");
  entry.max_ctas = read_max_ctas(map);
  entry.occupy_ctas = map.optional_ints("occupy_ctas", {.min = 1, .max = 1024});
  if (entry.occupy_ctas.empty()) entry.occupy_ctas = {16};
  entry.priorities = read_priorities(map);
  require_few(
      map, "collectives",
      {entry.kinds.size(), entry.bytes.size(), entry.max_ctas.size(), entry.priorities.size()});
  require_few(map, "occupy_ctas", {entry.occupy_ctas.size(), entry.priorities.size()});
  return entry;
}

}  // namespace stepmark
