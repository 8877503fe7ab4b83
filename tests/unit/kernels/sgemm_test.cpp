// SPDX-License-Identifier: Apache-2.0
// GEMMs in tiles, large enough for several threads, against naive sums in double.
#include "kernels/host/sgemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/rng.h"

namespace stepmark::host {
namespace {

std::vector<float> random_matrix(std::int64_t rows, std::int64_t stride, std::uint64_t stream) {
  const Philox random(5, stream);
  std::vector<float> values(static_cast<std::size_t>(rows * stride));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

struct Size {
  std::int64_t m, n, k;
};

class Sgemm : public testing::TestWithParam<Size> {
 protected:
  void TearDown() override { omp_set_num_threads(threads_before_); }
  const int threads_before_ = omp_get_max_threads();
};

TEST_P(Sgemm, TilesGiveTheWholeProduct) {
  const auto [m, n, k] = GetParam();
  constexpr std::int64_t kPadding = 3;  // of every row; must stay as it is
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      const std::int64_t a_stride = (trans_a ? m : k) + kPadding;
      const std::int64_t b_stride = (trans_b ? k : n) + kPadding;
      const std::vector<float> a = random_matrix(trans_a ? k : m, a_stride, 0);
      const std::vector<float> b = random_matrix(trans_b ? n : k, b_stride, 1);
      const std::vector<float> before = random_matrix(m, n + kPadding, 2);
      std::vector<double> want(before.begin(), before.end());
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (std::int64_t x = 0; x < k; ++x) {
            sum += static_cast<double>(a[trans_a ? x * a_stride + i : i * a_stride + x]) *
                   static_cast<double>(b[trans_b ? j * b_stride + x : x * b_stride + j]);
          }
          double& c = want[i * (n + kPadding) + j];
          c = 0.5 * sum + 2.0 * c;
        }
      }
      for (const int threads : {1, 2, 3, 7}) {
        omp_set_num_threads(threads);
        std::vector<float> c = before;
        sgemm(m, n, k, 0.5F, {.data = a.data(), .stride = a_stride, .transposed = trans_a},
              {.data = b.data(), .stride = b_stride, .transposed = trans_b}, 2.0F, c.data(),
              n + kPadding);
        for (std::size_t i = 0; i < c.size(); ++i) {
          ASSERT_NEAR(c[i], want[i], 1e-5 * std::sqrt(static_cast<double>(k)) * 10)
              << i << " on " << threads << " threads, trans_a " << trans_a << ", trans_b "
              << trans_b;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Sgemm,
                         testing::Values(Size{96, 160, 64}, Size{129, 67, 65}, Size{7, 1201, 67},
                                         Size{1201, 5, 101}, Size{3, 2, 90001}, Size{0, 9, 4},
                                         Size{9, 0, 4}, Size{5, 6, 0}));

TEST(Sgemm, ClearsWhatItWritesOver) {
  constexpr std::size_t kElements = std::size_t{256} * 256;
  const std::vector<float> ones(kElements, 1.0F);
  std::vector<float> c(kElements, std::nanf(""));
  sgemm(256, 256, 256, 1.0F, {.data = ones.data(), .stride = 256},
        {.data = ones.data(), .stride = 256}, 0.0F, c.data(), 256);
  EXPECT_EQ(c, std::vector<float>(kElements, 256.0F));
}

// Every tile there, none beyond the matrix, at most one per thread.
TEST(Tiles, CoverTheResult) {
  for (const std::int64_t threads : {1, 2, 3, 8, 64, 200}) {
    for (const Size size : {Size{256, 50257, 0}, Size{50257, 768, 0}, Size{1, 1, 0},
                            Size{17, 33, 0}, Size{4096, 4096, 0}}) {
      const Tiles tiles = tiles_for(size.m, size.n, threads);
      ASSERT_GE(tiles.rows, 1);
      ASSERT_GE(tiles.cols, 1);
      EXPECT_LE(tiles.rows, size.m);
      EXPECT_LE(tiles.cols, size.n);
      const std::int64_t count =
          ((size.m + tiles.rows - 1) / tiles.rows) * ((size.n + tiles.cols - 1) / tiles.cols);
      EXPECT_LE(count, threads);
      if (threads == 2 && size.m * size.n > 10000) {
        EXPECT_EQ(count, 2);
      }
    }
  }
  EXPECT_EQ(tiles_for(256, 2304, 2).rows, 256) << "the longer side is cut";
  EXPECT_EQ(tiles_for(3072, 768, 2).cols, 768);
}

}  // namespace
}  // namespace stepmark::host
