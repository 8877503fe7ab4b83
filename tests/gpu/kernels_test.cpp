// SPDX-License-Identifier: Apache-2.0
// Walks the registry: every op's CUDA kernel against the double reference, for each dtype and test
// shape, with operands aligned to 256 bytes and to their element size only.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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

TEST_P(CudaKernels, LetsNanThrough) {
  const OpShape shape = shapes().back();
  // As in the host's test: a maximum has no place for it, gathers may not read the element.
  for (const OpId id : {OpId::ce_max, OpId::embedding_fwd, OpId::embedding_bwd, OpId::position_fwd,
                        OpId::kv_split, OpId::router_top_k}) {
    if (shape.id == id) return;
  }
  for (const bool misaligned : {false, true}) {
    Values values = random_operands(shape, 3);
    const OpInfo& info = info_of(shape.id);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (access_of(shape, i) == Access::out || dtype_of(shape, i) == DType::i32) continue;
      values[i][0] = std::numeric_limits<double>::quiet_NaN();
      const HostResult got = run_cuda(shape, values, misaligned);
      bool found = false;
      for (std::size_t o = 0; o < values.size(); ++o) {
        for (const double v : got.values[o]) {
          found = found || (is_written(shape, o) && std::isnan(v));
        }
      }
      EXPECT_TRUE(found) << to_text(shape) << ": NaN in " << info.operands[i].name << " was lost";
      break;
    }
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
