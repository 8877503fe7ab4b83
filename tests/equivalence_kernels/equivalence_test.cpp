// SPDX-License-Identifier: Apache-2.0
// Walks the registry: each op, dtype and test shape, by the host kernels of every instruction set
// that this machine has, on 1 and 2 threads.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "op_fixture.h"

namespace stepmark::test {
namespace {

class KernelEquivalence : public testing::TestWithParam<std::tuple<const OpInfo*, DType>> {
 protected:
  void TearDown() override { omp_set_num_threads(threads_before_); }

  [[nodiscard]] static std::vector<OpShape> shapes() {
    const auto& [info, dtype] = GetParam();
    return info->test_shapes(dtype);
  }
  static void expect_near(const OpShape& shape, const Values& before, const Values& want,
                          const HostResult& got) {
    EXPECT_TRUE(got.guards_intact) << "wrote outside its operands";
    for (std::size_t i = 0; i < before.size(); ++i) {
      const std::string_view name = info_of(shape.id).operands[i].name;
      if (is_written(shape, i)) {
        EXPECT_LE(relative_error(got.values[i], want[i]), tolerance_of(shape, i))
            << name << " on " << omp_get_max_threads() << " threads";
      } else {
        EXPECT_EQ(got.values[i], before[i]) << name << " is an input";
      }
    }
  }
  const int threads_before_ = omp_get_max_threads();
};

TEST_P(KernelEquivalence, MatchesTheReference) {
  for (const OpShape& shape : shapes()) {
    SCOPED_TRACE(to_text(shape));
    const Values before = random_operands(shape, 42);
    Values want = before;
    run_reference(shape, want);
    for (const HostSet& set : sets_here()) {
      SCOPED_TRACE(set.name);
      for (const int threads : {1, 2}) {
        omp_set_num_threads(threads);
        expect_near(shape, before, want, run_host(shape, before, set));
      }
    }
  }
}

TEST_P(KernelEquivalence, RepeatsBitForBit) {
  for (const OpShape& shape : shapes()) {
    SCOPED_TRACE(to_text(shape));
    const Values before = random_operands(shape, 7);
    for (const HostSet& set : sets_here()) {
      SCOPED_TRACE(set.name);
      omp_set_num_threads(2);
      const HostResult first = run_host(shape, before, set);
      EXPECT_EQ(run_host(shape, before, set).bytes, first.bytes);
      // OpenBLAS may cut sums by thread.
      if (info_of(shape.id).unit == MathUnit::matrix) continue;
      omp_set_num_threads(1);
      EXPECT_EQ(run_host(shape, before, set).bytes, first.bytes)
          << "depends on the number of threads";
    }
  }
}

TEST_P(KernelEquivalence, LetsNanThrough) {
  const OpShape shape = shapes().back();
  // A maximum has no place for it (the sum after it has); gathers may not read the element.
  for (const OpId id : {OpId::ce_max, OpId::embedding_fwd, OpId::embedding_bwd, OpId::position_fwd,
                        OpId::kv_split, OpId::router_top_k}) {
    if (shape.id == id) return;
  }
  Values values = random_operands(shape, 3);
  const OpInfo& info = info_of(shape.id);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (access_of(shape, i) == Access::out || dtype_of(shape, i) == DType::i32) continue;
    values[i][0] = std::numeric_limits<double>::quiet_NaN();
    for (const HostSet& set : sets_here()) {
      const HostResult got = run_host(shape, values, set);
      bool found = false;
      for (std::size_t o = 0; o < values.size(); ++o) {
        for (const double v : got.values[o]) {
          found = found || (is_written(shape, o) && std::isnan(v));
        }
      }
      EXPECT_TRUE(found) << to_text(shape) << ": NaN in " << info.operands[i].name
                         << " was lost by " << set.name;
    }
    return;
  }
}

std::string test_name(const testing::TestParamInfo<KernelEquivalence::ParamType>& info) {
  return std::string(std::get<0>(info.param)->name) + "_" +
         std::string(name_of(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(Registry, KernelEquivalence,
                         testing::Combine(testing::ValuesIn(all_ops().begin(), all_ops().end()),
                                          testing::Values(DType::f32, DType::bf16)),
                         test_name);

}  // namespace
}  // namespace stepmark::test
