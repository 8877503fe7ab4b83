// SPDX-License-Identifier: Apache-2.0
#include "collectives/exact_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "collectives/average.h"
#include "tests/unit/collectives/all_dtypes.h"

namespace stepmark {
namespace {

using test::kAllDTypes;
using test::kAllReduceOps;

std::uint64_t bits_of(double value, DType dtype) {
  std::uint64_t bits = 0;
  store_from_double(&bits, dtype, 0, value);
  return bits;
}

double rounded(double value, DType dtype) {
  const std::uint64_t bits = bits_of(value, dtype);
  return load_as_double(&bits, dtype, 0);
}

double combine(ReduceOp op, double a, double b) {
  switch (op) {
    case ReduceOp::min:
      return std::min(a, b);
    case ReduceOp::max:
      return std::max(a, b);
    case ReduceOp::prod:
      return a * b;
    default:
      return a + b;
  }
}

// Reduces as a real algorithm might: any two partial results at a time, rounded to the dtype.
double reduce_in_random_order(std::vector<double> values, ReduceOp op, DType dtype,
                              std::mt19937& random) {
  for (std::size_t left = values.size(); left > 1; --left) {
    std::swap(values[random() % left], values[left - 1]);
    double& other = values[random() % (left - 1)];
    other = rounded(combine(op, values[left - 1], other), dtype);
  }
  return values.at(0);
}

class ExactData : public ::testing::TestWithParam<int> {};

TEST_P(ExactData, EveryOrderOfReductionGivesTheExpectedBits) {
  const int ranks = GetParam();
  std::mt19937 random(7);
  for (const DType dtype : kAllDTypes) {
    for (const ReduceOp op : kAllReduceOps) {
      const CollectiveSetup setup{.dtype = dtype, .op = op, .seed = 3};
      for (std::size_t index = 0; index < 60; ++index) {
        std::vector<double> inputs;
        for (int rank = 0; rank < ranks; ++rank) {
          inputs.push_back(reduction_input(setup, ranks, rank, index));
          ASSERT_EQ(inputs.back(), rounded(inputs.back(), dtype)) << "not representable";
        }
        double got = reduce_in_random_order(inputs, op, dtype, random);
        if (op == ReduceOp::avg) {
          std::uint64_t bits = bits_of(got, dtype);
          divide_in_place(&bits, 1, dtype, ranks);
          got = load_as_double(&bits, dtype, 0);
        }
        const double expected = reduction_result(setup, ranks, index);
        ASSERT_EQ(bits_of(expected, dtype), bits_of(got, dtype))
            << name_of(dtype) << " " << name_of(op) << " index " << index << ": expected "
            << expected << ", got " << got;
      }
    }
  }
}

TEST_P(ExactData, LosingAnyRankIsSeenInSomeElement) {
  const int ranks = GetParam();
  for (const DType dtype : {DType::f32, DType::f8e5m2, DType::u8}) {
    for (const ReduceOp op : {ReduceOp::sum, ReduceOp::min, ReduceOp::max, ReduceOp::prod}) {
      const CollectiveSetup setup{.dtype = dtype, .op = op, .seed = 5};
      std::vector<bool> seen(static_cast<std::size_t>(ranks));
      std::size_t unseen = seen.size();
      for (std::size_t index = 0; index < 30 * seen.size() && unseen > 0; ++index) {
        std::vector<double> inputs;
        for (int rank = 0; rank < ranks; ++rank) {
          inputs.push_back(reduction_input(setup, ranks, rank, index));
        }
        const double full = reduction_result(setup, ranks, index);
        // Reducing the others alone: prefix and suffix results, so that 1000 ranks stay cheap.
        const double neutral = op == ReduceOp::prod  ? 1.0
                               : op == ReduceOp::min ? HUGE_VAL
                               : op == ReduceOp::max ? -HUGE_VAL
                                                     : 0.0;
        std::vector<double> suffix(inputs.size() + 1, neutral);
        for (std::size_t r = inputs.size(); r-- > 0;) {
          suffix[r] = combine(op, inputs[r], suffix[r + 1]);
        }
        double prefix = neutral;
        for (std::size_t r = 0; r < inputs.size(); ++r) {
          if (!seen[r] && combine(op, prefix, suffix[r + 1]) != full) {
            seen[r] = true;
            --unseen;
          }
          prefix = combine(op, prefix, inputs[r]);
        }
      }
      EXPECT_EQ(0U, unseen) << name_of(dtype) << " " << name_of(op);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, ExactData, ::testing::Values(1, 2, 3, 7, 8, 64, 1000));

TEST(ExactDataLimits, LargestWorldStaysExactForNarrowTypes) {
  std::mt19937 random(11);
  for (const DType dtype : {DType::f8e4m3, DType::f8e5m2, DType::bf16, DType::i8}) {
    const CollectiveSetup setup{.dtype = dtype, .op = ReduceOp::sum, .seed = 1};
    for (std::size_t index = 0; index < 8; ++index) {
      std::vector<double> inputs;
      for (int rank = 0; rank < kMaxRanks; ++rank) {
        inputs.push_back(reduction_input(setup, kMaxRanks, rank, index));
      }
      EXPECT_EQ(reduction_result(setup, kMaxRanks, index),
                reduce_in_random_order(inputs, ReduceOp::sum, dtype, random));
    }
  }
}

TEST(ExactDataValues, NoElementLooksLikePoison) {
  for (const DType dtype : kAllDTypes) {
    std::uint64_t poison = 0;
    std::memset(&poison, kPoisonByte, size_of(dtype));
    for (const ReduceOp op : kAllReduceOps) {
      const CollectiveSetup setup{.dtype = dtype, .op = op, .seed = 9};
      for (std::size_t index = 0; index < 5000; ++index) {
        ASSERT_NE(poison, bits_of(reduction_result(setup, 4, index), dtype)) << name_of(dtype);
        ASSERT_NE(poison, bits_of(moved_value(setup, 2, index), dtype)) << name_of(dtype);
      }
    }
  }
}

TEST(ExactDataValues, SignsAreMixedAndZeroHasNone) {
  for (const ReduceOp op : kAllReduceOps) {
    const CollectiveSetup setup{.dtype = DType::f8e4m3, .op = op, .seed = 2};
    int negative = 0;
    int positive = 0;
    for (std::size_t index = 0; index < 1000; ++index) {
      const double result = reduction_result(setup, 3, index);
      negative += result < 0 ? 1 : 0;
      positive += result > 0 ? 1 : 0;
      ASSERT_FALSE(result == 0.0 && std::signbit(result) && op != ReduceOp::avg);
      for (int rank = 0; rank < 3; ++rank) {
        const double input = reduction_input(setup, 3, rank, index);
        ASSERT_FALSE(input == 0.0 && std::signbit(input));
      }
    }
    EXPECT_GT(negative, 200) << name_of(op);
    EXPECT_GT(positive, 200) << name_of(op);
  }
}

TEST(ExactDataValues, DependOnSeedIndexAndOwner) {
  const CollectiveSetup a{.seed = 1};
  const CollectiveSetup b{.seed = 2};
  std::set<double> values;
  for (std::size_t index = 0; index < 100; ++index) {
    for (int owner = 0; owner < 10; ++owner) values.insert(moved_value(a, owner, index));
    values.insert(moved_value(b, 0, index));
  }
  EXPECT_GT(values.size(), 1095U);
}

TEST(Average, IntegersRoundTowardZeroAndFloatsOnce) {
  std::int32_t integers[]{7, -7, 9};
  divide_in_place(integers, 3, DType::i32, 4);
  EXPECT_EQ(1, integers[0]);
  EXPECT_EQ(-1, integers[1]);
  EXPECT_EQ(2, integers[2]);
  std::uint8_t small[]{100};
  divide_in_place(small, 1, DType::u8, 1000);  // 1000 itself does not fit a byte
  EXPECT_EQ(0, small[0]);
  EXPECT_EQ(-1.0, average_of(-7.0, 4, DType::i8));
  EXPECT_EQ(static_cast<double>(1.0F / 3.0F), average_of(1.0, 3, DType::f32));
  EXPECT_EQ(1.0 / 3.0, average_of(1.0, 3, DType::f64));
}

}  // namespace
}  // namespace stepmark
