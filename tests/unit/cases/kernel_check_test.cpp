// SPDX-License-Identifier: Apache-2.0
#include "harness/cases/kernel_check.h"

#include <gtest/gtest.h>

namespace stepmark {
namespace {

// A shape for tests of an op, small enough to check in no time.
OpShape small(OpId id) { return info_of(id).test_shapes(DType::f32).front(); }

struct KernelRunTest : testing::Test {
  std::unique_ptr<Device> device = make_host_device(1);
  std::unique_ptr<Executor> executor = make_host_executor(*device);
};

TEST_F(KernelRunTest, RightKernelsAreWithinTolerance) {
  for (const OpId id : {OpId::gemm, OpId::gelu_fwd, OpId::layernorm_fwd, OpId::copy}) {
    KernelRun kernel(*executor, small(id), 7);
    EXPECT_GT(kernel.run(), 0.0);
    EXPECT_LE(kernel.error_over_tolerance(), 1.0) << to_text(small(id));
  }
}

// Outputs that were never computed are what a kernel that does nothing leaves behind.
TEST_F(KernelRunTest, MissingOutputIsFound) {
  for (const OpId id : {OpId::gemm, OpId::gelu_fwd, OpId::layernorm_fwd, OpId::copy}) {
    KernelRun fresh(*executor, small(id), 7);
    EXPECT_FALSE(fresh.error_over_tolerance() <= 1.0) << to_text(small(id));
  }
}

// An accumulating op that ran once too often is wrong, and right again after a refill.
TEST_F(KernelRunTest, RefillStartsAnew) {
  KernelRun kernel(*executor, small(OpId::adamw), 7);
  kernel.run();
  EXPECT_LE(kernel.error_over_tolerance(), 1.0);
  kernel.run();
  EXPECT_FALSE(kernel.error_over_tolerance() <= 1.0);
  kernel.refill();
  kernel.run();
  EXPECT_LE(kernel.error_over_tolerance(), 1.0);
}

}  // namespace
}  // namespace stepmark
