// SPDX-License-Identifier: Apache-2.0
// A step on a device that wants dims padded: what is counted is the model's, what padding adds is
// named, and the padding is looked at.
#include <gtest/gtest.h>

#include "case_fixture.h"
#include "harness/cases/families/step.h"

namespace stepmark {
namespace {

Workload odd_workload() {
  return {.name = "odd",
          .model = {.name = "odd",
                    .family = ModelFamily::gpt2,
                    .layers = 1,
                    .hidden = 20,
                    .heads = 2,
                    .kv_heads = 2,
                    .head_dim = 10,
                    .ffn = 30,
                    .vocab = 101,
                    .max_seq = 8,
                    .tied_embeddings = true}};
}

Record step_on(const DeviceTraits& traits) {
  test::CaseBench bench;
  bench.device = make_host_device(1, traits);
  bench.executor = make_host_executor(*bench.device);
  const auto control = make_solo_control();
  const auto world = make_self_comm();
  const Workload workload = odd_workload();
  const auto step = make_step_case(workload, resolve({}, workload.model, 1));
  CaseContext context = bench.context(*control, *world);
  return step->run(context);
}

bool passed(const Record& record, std::string_view name) {
  for (const Check& check : record.checks) {
    if (check.name == name) return check.passed;
  }
  return false;
}

TEST(StepPadding, IsNamedBesideTheModelsOwnFigures) {
  const Record plain = step_on(kHostTraits);
  const Record padded = step_on({.dimension_multiple = 64, .row_bytes = 16});
  ASSERT_EQ(padded.outcome, Outcome::ok) << padded.reason;
  EXPECT_EQ(padded.text("padding"), "vocabulary 101 -> 128, MLP width 30 -> 64");
  EXPECT_EQ(plain.text("padding"), "");
  EXPECT_TRUE(passed(padded, "padding"));
  EXPECT_TRUE(passed(padded, "padding after timing"));
  for (const char* same :
       {"parameters", "tokens_per_step", "model_flops_per_step", "hardware_flops_per_step"}) {
    EXPECT_EQ(padded.number(same), plain.number(same)) << same;
  }
  // Rows of the table, of up and down, and 34 biases.
  EXPECT_EQ(padded.number("padding_parameters_per_rank"), 27 * 20 + 2 * 34 * 20 + 34);
  EXPECT_EQ(padded.number("padding_bytes_per_rank"),
            *padded.number("memory_bytes_per_rank") - *plain.number("memory_bytes_per_rank"));
  EXPECT_GT(padded.number("padding_flops_per_step").value_or(0), 0);
  EXPECT_FALSE(plain.number("padding_flops_per_step"));
  EXPECT_NEAR(*padded.number("first_loss") / *plain.number("first_loss"), 1.0, 1e-5);
}

TEST(StepPadding, RowsThatStayMisalignedAreALabel) {
  EXPECT_TRUE(test::has_label(step_on({.dimension_multiple = 8, .row_bytes = 32}),
                              "misaligned rows in GEMMs: hidden 20, query width 20"));
  EXPECT_FALSE(test::has_label(step_on(kHostTraits), "misaligned"));
}

}  // namespace
}  // namespace stepmark
