// SPDX-License-Identifier: Apache-2.0
// Steps with padded dims compute what they do without, for any vocabulary, tied or not; and what
// lies in the padding takes part in nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "tests/equivalence_steps/step_run.h"

namespace stepmark {
namespace {

double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double{got[i]} - double{expected[i]}, 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

class Padded : public ::testing::TestWithParam<std::tuple<ModelFamily, bool, std::int64_t>> {
 protected:
  [[nodiscard]] Model model() const {
    const auto [family, tied, vocab] = GetParam();
    return odd_model(family, tied, vocab);
  }
  [[nodiscard]] StepRun run(const std::string& plan, std::int64_t multiple) const {
    return StepRun(*self_, model(), resolve(parse_plan(plan), model(), 1), 0,
                   {.dimension_multiple = multiple});
  }
  static const Param& head(StepRun& run) {
    const ParamLayout& layout = run.state().layout();
    for (const Param& param : layout.params()) {
      if (param.name == "head.weight") return param;
    }
    return layout.find("embedding.weight");
  }
  std::unique_ptr<Comm> self_ = make_self_comm();
};

TEST_P(Padded, StepsAreThoseWithoutPadding) {
  const std::string plan = "micro_batch=2,seq=8,accumulation=2,lr=3e-3";
  StepRun plain = run(plan, 1);
  for (const std::int64_t multiple : {8, 64}) {
    SCOPED_TRACE(multiple);
    StepRun wide = run(plan, multiple);
    if (multiple == 64) plain.state().initialise();
    ASSERT_GT(head(wide).stored_rows(), head(wide).local_rows());
    for (int i = 0; i < 2; ++i) {
      plain.step();
      wide.step();
      EXPECT_NEAR(wide.state().loss() / plain.state().loss(), 1.0, 1e-6);
      EXPECT_NEAR(wide.state().gradient_norm() / plain.state().gradient_norm(), 1.0, 1e-5);
    }
    std::int64_t parameters = 0;
    for (const Param& param : wide.state().layout().params()) {
      const Param& same = plain.state().layout().find(param.name);
      EXPECT_LT(relative_error(wide.state().grad_values(param), plain.state().grad_values(same)),
                1e-4)
          << param.name;
      EXPECT_LT(relative_error(wide.state().param_values(param), plain.state().param_values(same)),
                1e-3)
          << param.name;
      EXPECT_EQ(wide.state().largest_padding(param), 0) << param.name;
      parameters += param.elements();
    }
    EXPECT_EQ(parameters, model().parameters());
  }
}

TEST_P(Padded, StartsFromTheSameModelBitForBit) {
  for (const char* precision : {"precision=fp32", "precision=bf16"}) {
    const std::string plan = fmt::format("micro_batch=1,seq=4,{}", precision);
    StepRun plain = run(plan, 1);
    StepRun wide = run(plan, 64);
    for (const Param& param : wide.state().layout().params()) {
      const Param& same = plain.state().layout().find(param.name);
      EXPECT_EQ(wide.state().param_values(param), plain.state().param_values(same)) << param.name;
      EXPECT_EQ(wide.state().largest_padding(param), 0) << param.name;
    }
  }
}

// Rows of the table that no token means, as large as they get: logits of the padding are then the
// largest of all, and would be most of the loss if it looked at them.
TEST_P(Padded, WhatThePaddingHoldsIsNotSeen) {
  for (const char* precision : {"precision=fp32", "precision=bf16"}) {
    SCOPED_TRACE(precision);
    const std::string plan = fmt::format("micro_batch=2,seq=8,{}", precision);
    StepRun clean = run(plan, 64);
    StepRun filled = run(plan, 64);
    const Param& table = head(filled);
    const std::int64_t index = filled.runnable().program().buffer_index(kParamBuffer);
    const bool narrow =
        clean.runnable().program().buffers[static_cast<std::size_t>(index)].dtype == DType::bf16;
    const auto padding = static_cast<std::size_t>(table.stored_elements() - table.elements());
    const std::vector<float> wide_values(padding, 1e3F);
    const std::vector<bf16> narrow_values(padding, to_bf16(1e3F));
    const std::size_t size = narrow ? sizeof(bf16) : sizeof(float);
    filled.device().copy_to_device(
        static_cast<std::byte*>(filled.runnable().buffer(static_cast<std::int32_t>(index))) +
            static_cast<std::size_t>(table.offset + table.elements()) * size,
        narrow ? static_cast<const void*>(narrow_values.data()) : wide_values.data(),
        padding * size);
    ASSERT_EQ(filled.state().largest_padding(table), 1e3);
    clean.step();
    filled.step();
    EXPECT_EQ(filled.state().loss(), clean.state().loss());
    EXPECT_EQ(filled.state().gradient_norm(), clean.state().gradient_norm());
    for (const Param& param : clean.state().layout().params()) {
      EXPECT_EQ(filled.state().grad_values(param), clean.state().grad_values(param)) << param.name;
      EXPECT_EQ(filled.state().param_values(param), clean.state().param_values(param))
          << param.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, Padded,
    ::testing::Combine(::testing::Values(ModelFamily::gpt2, ModelFamily::llama), ::testing::Bool(),
                       ::testing::ValuesIn(kOddVocabularies)),
    [](const auto& given) {
      return fmt::format("{}_{}_{}",
                         std::get<0>(given.param) == ModelFamily::gpt2 ? "gpt2" : "llama",
                         std::get<1>(given.param) ? "tied" : "untied", std::get<2>(given.param));
    });

TEST(PaddedStep, RefusesAProgramThatIsPaddedForAnotherDevice) {
  const Model model = odd_model(ModelFamily::gpt2, true, 7);
  const auto self = make_self_comm();
  const Plan plan = resolve(parse_plan("micro_batch=1,seq=4"), model, 1);
  EXPECT_THROW(StepRun(*self, model, plan, step_program(model, plan, 0, kGpuTraits)), Error);
}

}  // namespace
}  // namespace stepmark
