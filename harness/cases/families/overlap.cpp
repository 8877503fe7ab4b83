// SPDX-License-Identifier: Apache-2.0
// Family `overlap`: products beside a collective, against each alone. Both sides are repeated until
// they take about the same time; what is timed lies between the events around each side's ops. On
// one rank `occupy`, a kernel that holds as many blocks as a collective would and does nothing,
// takes the collective's place: what it costs the product is the price of the room alone.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/kernel_check.h"
#include "harness/cases/overlap_programs.h"
#include "kernels/ops/gemm.h"

namespace stepmark {
namespace {

constexpr double kSampleSeconds = 2e-3;
constexpr std::int64_t kMaxCalls = 512;
constexpr std::int64_t kMaxOccupyNs = std::int64_t{1} << 33;
constexpr double kTogetherShare = 0.4;  // of the budget; the rest for each side alone
constexpr const char* kAxis = "world";

bool lists(const CommFacts& facts, std::string_view name) {
  return std::any_of(facts.begin(), facts.end(),
                     [&](const auto& fact) { return fact.first == name; });
}

class OverlapCase final : public Case {
 public:
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
  [[nodiscard]] std::string_view family() const override { return "overlap"; }
  [[nodiscard]] double weight() const override { return 2.0; }

  [[nodiscard]] Record run(CaseContext& context) override {
    Record record;
    describe(record, context);
    const std::int32_t rank = context.control.rank();
    const auto comm =
        context.world.split(0, rank, {.max_ctas = spec_.kind ? static_cast<int>(spec_.ctas) : 0});
    add_comm_facts(record, comm->facts());
    if (is_duplicate(record, context, *comm)) return record;
    OneComm comms(kAxis, *comm);
    if (!check_against_reference(record, context, OpId::gemm, spec_.gemm.dtype)) return record;

    const OverlapWork work = equal_work(context, comms);
    record.numbers.emplace_back("gemm_calls", static_cast<double>(work.gemms));
    record.numbers.emplace_back("comm_calls", static_cast<double>(work.comms));
    if (!spec_.kind) {
      record.numbers.emplace_back("occupy_s", static_cast<double>(work.occupy_ns) * 1e-9);
    }

    const StopRule rule = context.rule;
    std::vector<std::byte> product;
    {
      OverlapRun compute(context.executor, comms, spec_, {.gemms = work.gemms}, world(context),
                         context.seed);
      sample_alone(record, context, compute, "compute_alone_s", rule);
      product = compute.product();
    }
    {
      OverlapWork only = work;
      only.gemms = 0;
      OverlapRun comm_run(context.executor, comms, spec_, only, world(context), context.seed);
      if (!check_comm(record, context, comm_run, "alone before timing", /*fresh=*/true)) {
        return record;
      }
      sample_alone(record, context, comm_run, "comm_alone_s", rule);
    }
    OverlapRun both(context.executor, comms, spec_, work, world(context), context.seed);
    if (!check_comm(record, context, both, "together before timing", /*fresh=*/true)) return record;
    context.rule = share_of(rule, kTogetherShare);
    sample_together(record, context, both);
    context.rule = rule;
    if (!check_comm(record, context, both, "together after timing", /*fresh=*/false)) return record;
    add_check(record, "product together as alone, bit for bit",
              all_ranks(context.control, both.product() == product),
              fmt::format("{} bytes", product.size()));
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
    if (spec_.ctas > 0) text += fmt::format(" {} CTAs", spec_.ctas);
    return text + (spec_.high_priority ? " high" : "");
  }

  [[nodiscard]] static Group world(const CaseContext& context) {
    return world_group(kAxis, context.control);
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
      OverlapRun run(context.executor, comms, spec_, work, world(context), context.seed);
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
    add_side_series(record, context, "compute_together_s", compute, calls);
    add_side_series(record, context, "comm_together_s", comm, calls);
  }

  // fresh: on poisoned buffers after one run; else what the timed runs left.
  bool check_comm(Record& record, CaseContext& context, OverlapRun& run, const std::string& when,
                  bool fresh) const {
    if (fresh) {
      run.refill();
      context.control.barrier();
      run.runnable().run_traced();
    }
    if (const auto verification = run.verify_comm()) {
      return add_verification(record, context.control, "every element exact " + when,
                              *verification);
    }
    return add_check(record, "every block came to its end " + when,
                     all_ranks(context.control, run.all_done()),
                     fmt::format("{} blocks", spec_.ctas));
  }

  void describe(Record& record, const CaseContext& context) const {
    record.texts.emplace_back("title", title());
    record.texts.emplace_back("gemm", to_text(spec_.gemm));
    const auto gemm = unpack<GemmShape>(spec_.gemm);
    record.texts.emplace_back(
        "product", fmt::format("{} {}x{}x{}", name_of(spec_.gemm.dtype), gemm.m, gemm.n, gemm.k));
    record.texts.emplace_back("dtype", std::string(name_of(spec_.gemm.dtype)));
    record.texts.emplace_back("priority", priority());
    record.texts.emplace_back("library", std::string(context.world.backend()));
    record.numbers.emplace_back("ranks", context.control.size());
    record.numbers.emplace_back("flops", flops_of(spec_.gemm));
    if (!spec_.kind) {
      record.texts.emplace_back("beside", "occupy");
      record.numbers.emplace_back("occupy_ctas", static_cast<double>(spec_.ctas));
      return;
    }
    record.texts.emplace_back("beside", std::string(name_of(*spec_.kind)));
    record.texts.emplace_back("collective", std::string(name_of(*spec_.kind)));
    record.numbers.emplace_back("max_ctas_requested", static_cast<double>(spec_.ctas));
    const Traffic traffic =
        make_traffic(world(context), *spec_.kind, spec_.gemm.dtype, spec_.bytes, context.seed);
    record.numbers.emplace_back("size_bytes", static_cast<double>(traffic.sizes.size_bytes));
  }

  OverlapSpec spec_;
  std::string id_, definition_;  // with the size as asked for, and in whole elements
};

}  // namespace

void add_overlap_cases(const OverlapEntry& entry, int world_size, Expansion& expansion) {
  std::vector<OverlapSpec> specs;
  const OverlapSpec base{
      .gemm = pack(GemmShape{.m = entry.m, .n = entry.n, .k = entry.k}, entry.dtype), .kind = {}};
  const auto each_priority = [&](OverlapSpec spec) {
    for (const std::string& priority : entry.priorities) {
      spec.high_priority = priority == "high";
      specs.push_back(spec);
    }
  };
  if (world_size == 1) {
    for (const std::int64_t ctas : entry.occupy_ctas) {
      OverlapSpec spec = base;
      spec.ctas = ctas;
      each_priority(spec);
    }
  } else {
    for (const CollectiveKind kind : entry.kinds) {
      for (const std::int64_t bytes : entry.bytes) {
        const CollectiveSetup setup{.size_bytes = bytes, .dtype = entry.dtype};
        if (collective(kind).sizes(setup, world_size).verb_count == 0) {
          expansion.remarks.push_back(fmt::format("overlap with {} {}: no element in {}: dropped",
                                                  name_of(kind), name_of(entry.dtype),
                                                  exact_bytes(bytes)));
          continue;
        }
        for (const std::int64_t ctas : entry.max_ctas) {
          OverlapSpec spec = base;
          spec.kind = kind;
          spec.bytes = bytes;
          spec.ctas = ctas;
          each_priority(spec);
        }
      }
    }
  }
  for (const OverlapSpec& spec : specs) {
    expansion.cases.push_back(std::make_unique<OverlapCase>(spec, world_size));
  }
}

}  // namespace stepmark
