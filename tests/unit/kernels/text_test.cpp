// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "kernels/op.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/optimizer.h"

namespace stepmark {
namespace {

TEST(OpText, HasOneForm) {
  EXPECT_EQ(to_text(pack(GemmShape{.m = 256, .n = 768, .k = 64, .bias = 1}, DType::f32)),
            "gemm dtype=fp32 m=256 n=768 k=64 trans_a=0 trans_b=0 bias=1 accumulate=0 out_f32=0");
  EXPECT_EQ(to_text(pack(AdamWShape{.elements = 8, .lr = 3e-4}, DType::bf16)),
            "adamw dtype=bf16 elements=8 unscaled=0 lr=0.0003 beta1=0.9 beta2=0.95 eps=1e-08 "
            "weight_decay=0");
}

TEST(OpText, EveryShapeComesBack) {
  for (const OpInfo* info : all_ops()) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      for (const auto& shapes : {info->test_shapes(dtype), info->bench_shapes(dtype)}) {
        for (const OpShape& shape : shapes) {
          EXPECT_EQ(op_shape_from_text(to_text(shape)), shape) << to_text(shape);
        }
      }
    }
  }
}

TEST(OpText, ScalarsComeBackBitForBit) {
  const OpShape shape =
      pack(AdamWShape{.elements = 1, .lr = 0.1 + 0.2, .eps = 1.0 / 3.0e8}, DType::f32);
  EXPECT_EQ(op_shape_from_text(to_text(shape)), shape);
}

struct BadText {
  const char* text;
  const char* message;
};

class OpTextErrors : public testing::TestWithParam<BadText> {};

TEST_P(OpTextErrors, SayWhatIsWrong) {
  try {
    (void)op_shape_from_text(GetParam().text);
    FAIL() << "accepted: " << GetParam().text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.message(), testing::HasSubstr(GetParam().message));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, OpTextErrors,
    testing::Values(BadText{"", "start with its name"}, BadText{"gem dtype=fp32", "gemm"},
                    BadText{"copy", "expected 'dtype=...', found 'end of text'"},
                    BadText{"copy dtype=fp33 elements=3", "fp32"},
                    BadText{"copy dtype=fp32 element=3",
                            "expected 'elements=...', found 'element=3'"},
                    BadText{"copy dtype=fp32 elements=", "not a number"},
                    BadText{"copy dtype=fp32 elements=3x", "'3x' is not a number"},
                    BadText{"copy dtype=fp32 elements=1e3", "not a number"},
                    BadText{"copy dtype=fp32 elements=99999999999999999999", "not a number"},
                    BadText{"copy dtype=fp32 elements=-3", "elements=-3"},
                    BadText{"copy dtype=fp32 elements=3 more=1", "unexpected 'more=1'"},
                    BadText{"triad dtype=fp32 elements=3 s=", "not a number"},
                    BadText{"gemm dtype=fp32 n=1 m=1 k=1", "expected 'm=...'"}));

}  // namespace
}  // namespace stepmark
