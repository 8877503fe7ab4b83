// SPDX-License-Identifier: Apache-2.0
// Walks the registry: every op's CUDA kernel against the double reference, for each dtype and test
// shape, with operands aligned to 256 bytes and to their element size only.
#include <gtest/gtest.h>

#include "tests/gpu/device_run.h"

namespace stepmark::test {
namespace {

class CudaKernels : public testing::TestWithParam<std::tuple<const OpInfo*, DType>> {
 protected:
  [[nodiscard]] static std::vector<OpShape> shapes() {
    const auto& [info, dtype] = GetParam();
    return info->test_shapes(dtype);
  }
};

TEST_P(CudaKernels, MatchTheReference) {
  for (const OpShape& shape : shapes()) {
    const Values before = random_operands(shape, 42);
    Values want = before;
    run_reference(shape, want);
    for (const bool misaligned : {false, true}) {
      SCOPED_TRACE(to_text(shape) + (misaligned ? " misaligned" : ""));
      const HostResult got = run_cuda(shape, before, misaligned);
      EXPECT_TRUE(got.guards_intact) << "wrote outside its operands";
      for (std::size_t i = 0; i < before.size(); ++i) {
        const std::string_view name = info_of(shape.id).operands[i].name;
        if (is_written(shape, i)) {
          EXPECT_LE(relative_error(got.values[i], want[i]), tolerance_of(shape, i)) << name;
        } else {
          EXPECT_EQ(got.values[i], before[i]) << name << " is an input";
        }
      }
    }
  }
}

TEST_P(CudaKernels, RepeatBitForBit) {
  for (const OpShape& shape : shapes()) {
    SCOPED_TRACE(to_text(shape));
    const Values before = random_operands(shape, 7);
    EXPECT_EQ(run_cuda(shape, before, false).bytes, run_cuda(shape, before, false).bytes);
  }
}

std::string test_name(const testing::TestParamInfo<CudaKernels::ParamType>& info) {
  return std::string(std::get<0>(info.param)->name) + "_" +
         std::string(name_of(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(Registry, CudaKernels,
                         testing::Combine(testing::ValuesIn(all_ops().begin(), all_ops().end()),
                                          testing::Values(DType::f32, DType::bf16)),
                         test_name);

}  // namespace
}  // namespace stepmark::test
