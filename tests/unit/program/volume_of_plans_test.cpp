// SPDX-License-Identifier: Apache-2.0
// Bytes that a rank sends along the data axis, over hundreds of drawn plans, against the closed
// formulas (arXiv 1910.02054 section 7, arXiv 2304.11277): with E elements of gradients on a rank,
// padding included, d ranks in r groups of w, m micro-batches, b bytes of a gradient on the wire, p
// of a parameter:
//   zero 0    2 E b (d-1)/d
//   zero 1    E (b + p) (w-1)/w, and 2 E/w b (r-1)/r between groups
//   zero 2    E (m b + p) (w-1)/w, and the same
//   zero 3    E m b (w-1)/w, and the same, and for parameters E p (w-1)/w once per step, or with
//             resharding m (2 L + R) p (w-1)/w of layers and of the rest, which is used once
// and scalars: the loss, and the gradient norm's shards.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/rng.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

constexpr std::uint64_t kPlans = 400;

struct Draw {
  Model model;
  std::string text;
};

Draw draw_plan(std::uint64_t index) {
  const Philox rng(20251129, index);
  std::uint64_t next = 0;
  const auto one_of = [&](const auto&... values) {
    const std::array options{std::string(values)...};
    return options[rng.below(next++, options.size())];
  };
  Draw draw{.model = one_of("g", "l") == "g" ? small_gpt2() : small_llama(), .text = {}};
  draw.model.layers = std::stoll(one_of("2", "3", "5"));
  const std::string zero = one_of("0", "1", "2", "3");
  const std::string dp = one_of("2", "3", "4", "8");
  const std::string pp = one_of("1", "1", "2");
  draw.text = fmt::format(
      "dp={},tp={},pp={},zero={},accumulation={},micro_batch={},precision={},reduce={},clip={},"
      "bucket_mib={},optimizer_overlap={}",
      dp, one_of("1", "2"), pp, zero, pp == "2" ? one_of("2", "3") : one_of("1", "2", "3"),
      one_of("1", "2"), one_of("fp32", "bf16"), one_of("fp32", "bf16"), one_of("0", "0.5"),
      one_of("0.003", "0.01", "25"), one_of("on", "off"));
  if (draw.text.find("tp=2") != std::string::npos) draw.text += one_of("", ",sp=on");
  const bool shards = zero != "0";
  if (shards && (dp == "4" || dp == "8")) draw.text += one_of("", ",shard=2");
  if (zero == "3") draw.text += one_of("", ",reshard=off");
  if (zero == "1" || zero == "2") draw.text += one_of("", ",gather=forward");
  return draw;
}

struct Expected {
  double shard = 0, replicate = 0, data = 0;  // by group; data: of all ranks
};

Expected expected_of(const Model& model, const Plan& plan, std::int32_t rank) {
  const ParamLayout layout(model, plan, rank);
  const StepMesh mesh(plan);
  const auto d = static_cast<double>(plan.dp), w = static_cast<double>(plan.shard_ways());
  const double r = d / w;
  const auto m = static_cast<double>(plan.accumulation);
  const auto b = static_cast<double>(size_of(plan.reduce));
  const auto p = static_cast<double>(size_of(plan.precision));
  const auto all = static_cast<double>(layout.elements());
  double layers = 0;
  for (const ParamLayout::Bucket& unit : layout.buckets()) {
    if (unit.unit.starts_with("layer")) layers += static_cast<double>(unit.elements());
  }
  Expected out;
  if (mesh.has_loss(rank)) out.data += 2 * 4 * (d - 1) / d;
  if (plan.zero == 0) {
    out.data += 2 * all * b * (d - 1) / d;
    return out;
  }
  const double reductions = plan.zero >= 2 ? m : 1;
  double gathered = all;
  if (plan.zero == 3 && plan.reshard) gathered = m * (2 * layers + (all - layers));
  out.shard = (reductions * all * b + gathered * p) * (w - 1) / w;
  if (plan.computes_norm()) out.shard += 2 * 4 * (w - 1) / w;
  out.replicate = 2 * all / w * b * (r - 1) / r;
  return out;
}

TEST(VolumeOfPlans, EqualsTheClosedFormulas) {
  std::map<std::int64_t, int> seen;
  for (std::uint64_t i = 0; i < kPlans; ++i) {
    const Draw draw = draw_plan(i);
    SCOPED_TRACE(draw.model.name + " " + draw.text);
    Plan plan = parse_plan(draw.text);
    plan = resolve(plan, draw.model, plan.ranks());
    ++seen[plan.zero];
    const StepMesh mesh(plan);
    for (std::int32_t stage = 0; stage < mesh.stages(); ++stage) {
      const std::int32_t rank = mesh.first_rank_of(stage);
      const Program program = step_program(draw.model, plan, rank);
      Expected expected = expected_of(draw.model, plan, rank);
      const auto sent = [&](const char* group) { return bus_bytes(program, program.group(group)); };
      if (mesh.shard_group() == StepGroup::data) {
        expected.data += expected.shard;
      } else {
        EXPECT_DOUBLE_EQ(sent("dp.shard"), expected.shard);
        EXPECT_DOUBLE_EQ(sent("dp.replicate"), expected.replicate);
      }
      EXPECT_DOUBLE_EQ(sent("dp"), expected.data);
    }
  }
  for (const std::int64_t zero : {0, 1, 2, 3}) EXPECT_GT(seen[zero], 50) << zero;
}

}  // namespace
}  // namespace stepmark
