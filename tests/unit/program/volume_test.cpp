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

INSTANTIATE_TEST_SUITE_P(Families, Volume, ::testing::Values(0, 1));

}  // namespace
}  // namespace stepmark
