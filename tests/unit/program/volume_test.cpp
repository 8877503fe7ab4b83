// SPDX-License-Identifier: Apache-2.0
// What a lowered step says to the other ranks, against the literature: 4 all-reduces of b s h per
// layer for tensor parallelism (arXiv 1909.08053), 4 all-gathers and 4 reduce-scatters plus 2
// all-gathers again for weight gradients with sequence parallelism (arXiv 2205.05198), each
// gradient once for data parallelism.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

struct Traffic {
  std::map<Verb, std::map<std::int64_t, std::int64_t>> calls;  // by verb, count: how many
  double sent_bytes = 0;  // per rank: all-reduce 2 S (n-1)/n, others S (n-1)/n of the whole S
};

Traffic traffic(const Program& program, std::string_view axis) {
  Traffic result;
  for (const Op& op : program.ops) {
    if (!op.comm || op.comm->axis != axis) continue;
    ++result.calls[op.comm->verb][op.comm->count];
    const auto n = static_cast<double>(program.group(axis).ranks.size());
    const bool reduces_all = op.comm->verb == Verb::all_reduce;
    const double whole = static_cast<double>(op.comm->count) * (reduces_all ? 2 : n) *
                         static_cast<double>(size_of(op.comm->dtype));
    result.sent_bytes += whole * (n - 1) / n;
  }
  return result;
}

class Volume : public ::testing::TestWithParam<int> {
 protected:
  Model model_ = GetParam() == 0 ? small_gpt2() : small_llama();
};

TEST_P(Volume, TensorParallel) {
  for (const std::int64_t accumulation : {1, 3}) {
    Plan plan = parse_plan("tp=4,micro_batch=2,precision=bf16");
    plan.accumulation = accumulation;
    plan = resolve(plan, model_, 4);
    const Traffic tp = traffic(step_program(model_, plan, 1), "tp");
    const std::int64_t tokens = plan.micro_batch * plan.seq;
    // Per layer attention and MLP, forward and backward; the embedding forward and the head
    // backward once each; maximum and sums of the loss; the gradient norm once per step.
    const std::map<std::int64_t, std::int64_t> expected{
        {tokens * model_.hidden, accumulation * (4 * model_.layers + 2)},
        {tokens, accumulation},
        {2 * tokens, accumulation},
        {1, 1}};
    EXPECT_EQ(tp.calls.at(Verb::all_reduce), expected);
    EXPECT_EQ(tp.calls.size(), 1U);
    const double bsh_bytes = 2.0 * static_cast<double>(tokens * model_.hidden);
    const double share = 3.0 / 4.0;
    const auto layers = static_cast<double>(model_.layers);
    const auto micros = static_cast<double>(accumulation);
    EXPECT_DOUBLE_EQ(tp.sent_bytes,
                     micros * (8 * layers + 4) * bsh_bytes * share +
                         2 * 4 * share * (micros * 3 * static_cast<double>(tokens) + 1));
  }
}

TEST_P(Volume, SequenceParallel) {
  const Plan plan = resolve(parse_plan("tp=4,sp=on,micro_batch=2,bucket_mib=1000"), model_, 4);
  const Program program = step_program(model_, plan, 1);
  const Traffic tp = traffic(program, "tp");
  const std::int64_t share = plan.micro_batch * plan.seq * model_.hidden / 4;
  // Per layer 2 + 2 + 2 all-gathers (forward, backward, inputs again for weight gradients) and
  // 2 + 2 reduce-scatters; the head's input and the embedding's gradient are gathered, the
  // embedding's output and the head's input gradient scattered.
  EXPECT_EQ(tp.calls.at(Verb::all_gather),
            (std::map<std::int64_t, std::int64_t>{{share, 6 * model_.layers + 2}}));
  EXPECT_EQ(tp.calls.at(Verb::reduce_scatter),
            (std::map<std::int64_t, std::int64_t>{{share, 4 * model_.layers + 2}}));
  // All-reduces are left for the loss, the norm, and the gradients of replicated parameters.
  std::int64_t replicated = 0;
  const ParamLayout layout(model_, plan, 1);
  for (const ParamSection& section : layout.sections()) {
    if (section.replicated) replicated += section.elements;
  }
  std::int64_t reduced = 0;
  for (const auto& [count, calls] : tp.calls.at(Verb::all_reduce)) {
    reduced += count * calls;
  }
  EXPECT_EQ(reduced, 3 * plan.micro_batch * plan.seq + 1 + replicated);
}

TEST_P(Volume, DataParallelSendsEachGradientOnce) {
  for (const char* text : {"dp=2", "dp=4,accumulation=3,bucket_mib=0.01", "dp=2,bucket_mib=1000",
                           "tp=2,dp=2,sp=on,bucket_mib=0.02"}) {
    Plan plan = parse_plan(text);
    plan.micro_batch = 2;
    plan = resolve(plan, model_, plan.tp * plan.dp);
    const Program program = step_program(model_, plan, 0);
    const Traffic dp = traffic(program, "dp");
    ASSERT_EQ(dp.calls.size(), 1U);
    std::int64_t reduced = 0;
    for (const auto& [count, calls] : dp.calls.at(Verb::all_reduce)) {
      reduced += count * calls;
    }
    // fp32 gradients whatever the precision; one more element is the loss.
    EXPECT_EQ(reduced, ParamLayout(model_, plan, 0).elements() + 1) << text;
    EXPECT_DOUBLE_EQ(dp.sent_bytes, 2.0 * 4.0 * static_cast<double>(reduced) *
                                        static_cast<double>(plan.dp - 1) /
                                        static_cast<double>(plan.dp));
  }
}

// ZeRO-1: fp32 gradients scattered, parameters gathered in their own type, each once (arXiv
// 1910.02054); in fp32 that is the volume of the all-reduce.
TEST_P(Volume, ShardedStateSendsGradientsAndParametersOnce) {
  for (const char* text : {"dp=2", "dp=4,accumulation=3,bucket_mib=0.01,precision=bf16",
                           "dp=3,bucket_mib=1000", "tp=2,dp=2,sp=on,bucket_mib=0.02,clip=0",
                           "tp=2,dp=4,precision=bf16,optimizer_overlap=on"}) {
    SCOPED_TRACE(text);
    Plan plan = parse_plan(std::string(text) + ",zero=1");
    plan.micro_batch = 2;
    plan = resolve(plan, model_, plan.tp * plan.dp);
    const Program program = step_program(model_, plan, 0);
    const ParamLayout layout(model_, plan, 0);
    const Traffic dp = traffic(program, "dp");
    std::map<std::int64_t, std::int64_t> shards;
    for (const ParamLayout::Bucket& bucket : layout.buckets()) ++shards[bucket.own.elements()];
    EXPECT_EQ(dp.calls.at(Verb::reduce_scatter), shards);
    EXPECT_EQ(dp.calls.at(Verb::all_gather), shards);
    // The loss, and the norm's shards.
    EXPECT_EQ(dp.calls.at(Verb::all_reduce),
              (std::map<std::int64_t, std::int64_t>{{1, plan.clip > 0 ? 2 : 1}}));
    const auto n = static_cast<double>(plan.dp);
    const double per_parameter = 4.0 + static_cast<double>(size_of(plan.precision));
    const double scalars = 2.0 * 4.0 * (plan.clip > 0 ? 2 : 1);
    const double expected =
        (per_parameter * static_cast<double>(layout.elements()) + scalars) * (n - 1) / n;
    EXPECT_NEAR(dp.sent_bytes, expected, 1e-6);
    EXPECT_NEAR(bus_bytes(program, program.group("dp")), expected, 1e-6);
    if (plan.precision != DType::f32 || plan.clip > 0) continue;
    plan.zero = 0;
    const Program whole = step_program(model_, plan, 0);
    const auto padding =
        static_cast<double>(layout.elements() - ParamLayout(model_, plan, 0).elements());
    EXPECT_NEAR(expected - bus_bytes(whole, whole.group("dp")), 8.0 * padding * (n - 1) / n, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Volume, ::testing::Values(0, 1));

}  // namespace
}  // namespace stepmark
