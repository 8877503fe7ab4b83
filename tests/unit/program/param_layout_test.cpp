// SPDX-License-Identifier: Apache-2.0
// Shards tile the model exactly once, sections and buckets tile the flat buffer.
#include "harness/spec/param_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <utility>

#include "core/error.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

Plan with_tp(std::int64_t tp) {
  Plan plan;
  plan.tp = tp;
  return plan;
}

Plan with_buckets(Plan plan, std::int64_t elements) {
  plan.bucket_mib = static_cast<double>(4 * elements) / (1 << 20);
  return plan;
}

// Pads the vocabulary of 101 and the MLP widths of most ranks.
constexpr DeviceTraits kSixteen{.dimension_multiple = 16};

class Layout : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  [[nodiscard]] Model model() const {
    return std::get<0>(GetParam()) == 0 ? small_gpt2() : small_llama();
  }
  [[nodiscard]] std::int64_t tp() const { return std::get<1>(GetParam()); }
};

TEST_P(Layout, ShardsOfAllRanksTileEveryParameterOnce) {
  const ParamLayout whole(model(), with_tp(1), 0, kSixteen);
  std::vector<ParamLayout> shards;
  for (std::int32_t r = 0; r < tp(); ++r) shards.emplace_back(model(), with_tp(tp()), r, kSixteen);
  std::int64_t parameters = 0;
  std::set<std::uint64_t> ids;
  for (const Param& param : whole.params()) {
    const std::int64_t size = param.global_rows * param.global_cols;
    ASSERT_EQ(param.elements(), size) << param.name;
    parameters += size;
    EXPECT_TRUE(ids.insert(param.id).second) << param.name;
    std::vector<int> covered(static_cast<std::size_t>(size), 0);
    for (const ParamLayout& shard : shards) {
      const Param& part = shard.find(param.name);
      EXPECT_EQ(part.id, param.id);
      EXPECT_EQ(part.decay, param.decay);
      for (const RowRange& range : part.rows) {
        for (std::int64_t row = range.begin; row < range.begin + range.count; ++row) {
          for (std::int64_t col = part.col_begin; col < part.col_begin + part.cols; ++col) {
            ++covered[static_cast<std::size_t>(row * param.global_cols + col)];
          }
        }
      }
    }
    const bool replicated = shards.front().find(param.name).replicated;
    const int expected = replicated ? static_cast<int>(tp()) : 1;
    EXPECT_THAT(covered, ::testing::Each(expected)) << param.name;
  }
  EXPECT_EQ(parameters, model().parameters());
}

TEST_P(Layout, SectionsAndParametersTileTheBuffer) {
  for (std::int32_t r = 0; r < tp(); ++r) {
    const ParamLayout layout(model(), with_tp(tp()), r, kSixteen);
    std::int64_t end = 0;
    for (const ParamSection& section : layout.sections()) {
      EXPECT_EQ(section.offset, end);
      end += section.elements;
      for (const Param& param : layout.params()) {
        if (param.offset < section.offset || param.offset >= end) continue;
        EXPECT_EQ(param.replicated, section.replicated) << param.name;
        EXPECT_EQ(param.decay, section.decay) << param.name;
        EXPECT_LE(param.offset + param.stored_elements(), end) << param.name;
      }
    }
    EXPECT_EQ(end, layout.elements());
    std::int64_t previous_end = 0;
    for (const Param& param : layout.params()) {
      EXPECT_EQ(param.offset % 16, 0);
      EXPECT_GE(param.offset, previous_end) << param.name;
      EXPECT_LT(param.offset - previous_end, 16) << param.name;
      previous_end = param.offset + param.stored_elements();
    }
  }
}

TEST_P(Layout, BucketsTileTheBufferAndCloseWhenFull) {
  for (const std::int64_t size : {1, 100, 1000, 5000, 1 << 30}) {
    const ParamLayout layout(model(), with_buckets(with_tp(tp()), size), 0);
    std::set<std::int64_t> section_ends;
    for (const ParamSection& s : layout.sections()) section_ends.insert(s.offset + s.elements);
    std::int64_t end = 0;
    for (const ParamLayout::Bucket& bucket : layout.buckets()) {
      EXPECT_EQ(bucket.begin, end);
      EXPECT_FALSE(bucket.sharded());
      EXPECT_EQ(bucket.own.begin, bucket.begin);
      EXPECT_EQ(bucket.own.state, bucket.begin);
      end = bucket.end;
      EXPECT_TRUE(bucket.end - bucket.begin >= size || section_ends.contains(bucket.end));
      // Full only with its last parameter.
      std::int64_t last = bucket.begin;
      for (const Param& param : layout.params()) {
        if (param.offset < bucket.begin || param.offset >= bucket.end) continue;
        last = std::max(last, param.offset);
        EXPECT_EQ(param.replicated, layout.sections()[bucket.section].replicated);
      }
      EXPECT_LT(last - bucket.begin, size);
      for (const std::int64_t s : section_ends) EXPECT_FALSE(bucket.begin < s && s < bucket.end);
    }
    EXPECT_EQ(end, layout.elements());
    EXPECT_EQ(end, layout.state_elements());
  }
}

// Of every bucket each data-parallel rank has a shard, all as long, at a multiple of 16 elements;
// its state is those shards and no more.
TEST_P(Layout, ShardsOfStateTileEveryBucketOnce) {
  for (const std::int64_t dp : {1, 2, 3, 8}) {
    for (const std::int64_t size : {1, 1000, 1 << 30}) {
      Plan plan = with_buckets(with_tp(tp()), size);
      plan.dp = dp;
      const ParamLayout plain(model(), plan, 0, kSixteen);
      plan.zero = 1;
      std::vector<ParamLayout> layouts;
      for (std::int32_t r = 0; r < dp; ++r) {
        layouts.emplace_back(model(), plan, static_cast<std::int32_t>(r * tp()), kSixteen);
      }
      const ParamLayout& first = layouts.front();
      const auto n = static_cast<std::int64_t>(first.buckets().size());
      EXPECT_GE(first.elements(), plain.elements());
      EXPECT_LT(first.elements(), plain.elements() + 16 * dp * n);
      EXPECT_EQ(first.params().size(), plain.params().size());
      for (std::int32_t r = 0; r < dp; ++r) {
        const ParamLayout& layout = layouts[static_cast<std::size_t>(r)];
        EXPECT_EQ(layout.state().ways, dp);
        EXPECT_EQ(layout.state().index, r);
        EXPECT_EQ(layout.elements(), first.elements());
        EXPECT_EQ(layout.state_elements() * dp, layout.elements());
        std::int64_t state = 0, end = 0;
        for (const ParamLayout::Bucket& bucket : layout.buckets()) {
          const std::int64_t shard = (bucket.end - bucket.begin) / dp;
          EXPECT_EQ(bucket.begin, std::exchange(end, bucket.end));
          EXPECT_EQ((bucket.end - bucket.begin) % (16 * dp), 0);
          EXPECT_EQ(bucket.sharded(), dp > 1);
          EXPECT_EQ(bucket.own.begin, bucket.begin + r * shard);
          EXPECT_EQ(bucket.own.elements(), shard);
          EXPECT_EQ(bucket.own.state, std::exchange(state, state + shard));
        }
        EXPECT_EQ(end, layout.elements());
        EXPECT_EQ(state, layout.state_elements());
      }
      // Each element of a parameter belongs to one rank.
      for (const Param& param : first.params()) {
        std::int64_t owned = 0;
        for (const ParamLayout& layout : layouts) {
          const ParamLayout::Range own = layout.owned(layout.find(param.name));
          EXPECT_GE(own.begin, param.offset);
          EXPECT_GE(own.elements(), 0);
          owned += own.elements();
        }
        EXPECT_EQ(owned, param.stored_elements()) << param.name;
      }
    }
  }
}

TEST(LayoutRules, GradientsOfShardedStateAreScatteredLast) {
  const Plan plan = resolve(parse_plan("tp=2,dp=2,sp=on,zero=1"), small_gpt2(), 4);
  const ParamLayout layout(small_gpt2(), plan, 0);
  for (const ParamSection& section : layout.sections()) {
    ASSERT_EQ(section.gradient_sums.size(), section.replicated ? 2U : 1U);
    EXPECT_TRUE(section.gradient_sums.back().scattered);
    EXPECT_EQ(section.gradient_sums.back().axis, "dp");
    EXPECT_FALSE(section.replicated && section.gradient_sums.front().scattered);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Layout,
                         ::testing::Combine(::testing::Values(0, 1),
                                            ::testing::Values(1, 2, 4, 8)));

TEST(LayoutRules, OrdersParametersAsBackwardCompletesThem) {
  const ParamLayout layout(small_gpt2(), with_tp(1), 0);
  EXPECT_LT(layout.find("layer1.mlp.down.weight").offset,
            layout.find("layer1.attn.qkv.weight").offset);
  EXPECT_LT(layout.find("layer1.attn.qkv.weight").offset,
            layout.find("layer0.mlp.down.weight").offset);
  EXPECT_LT(layout.find("layer0.attn.qkv.weight").offset, layout.find("embedding.weight").offset);
  EXPECT_THROW((void)layout.find("layer9.attn.qkv.weight"), Error);
}

TEST(LayoutRules, DecaysMatricesOnly) {
  const ParamLayout layout(small_gpt2(), with_tp(2), 0);
  for (const Param& param : layout.params()) {
    const bool vector =
        param.name.ends_with(".bias") || param.name.find("norm") != std::string::npos;
    EXPECT_EQ(param.decay, !vector) << param.name;
  }
}

TEST(InitialValue, HasTheSpreadOfGpt2) {
  const Model model = small_gpt2();
  const ParamLayout layout(model, with_tp(1), 0);
  const auto deviation = [&](const char* name, double mean) {
    const Param& param = layout.find(name);
    double sum = 0;
    for (std::int64_t row = 0; row < param.global_rows; ++row) {
      for (std::int64_t col = 0; col < param.global_cols; ++col) {
        sum += std::pow(double{initial_value(param, model, 5, row, col)} - mean, 2);
      }
    }
    return std::sqrt(sum / static_cast<double>(param.elements()));
  };
  EXPECT_NEAR(deviation("embedding.weight", 0), 0.02, 0.001);
  EXPECT_NEAR(deviation("layer0.attn.qkv.weight", 0), 0.02, 0.001);
  EXPECT_NEAR(deviation("layer0.mlp.down.weight", 0), 0.02 / std::sqrt(4.0), 0.0005);
  EXPECT_NEAR(deviation("layer0.attn_norm.weight", 1), 0.02, 0.01);
}

TEST(InitialValue, IsTheSameByRow) {
  const Model model = small_llama();
  const ParamLayout layout(model, with_tp(2), 1);
  for (const Param& param : layout.params()) {
    for (const std::int64_t begin : {param.col_begin, param.col_begin + param.cols / 2}) {
      std::vector<float> row(static_cast<std::size_t>(param.col_begin + param.cols - begin));
      const std::int64_t global_row = param.rows.back().begin;
      initial_row(param, model, 5, global_row, begin, row);
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::int64_t col = begin + static_cast<std::int64_t>(i);
        ASSERT_EQ(row[i], initial_value(param, model, 5, global_row, col)) << param.name;
      }
    }
  }
}

TEST(VocabShard, SharesTileTheVocabularyAndDifferByOneAtMost) {
  for (const std::int64_t vocab : {4, 7, 8, 10, 49954, 50257}) {
    for (const std::int64_t tp : {1, 2, 3, 4}) {
      std::int64_t end = 0;
      for (std::int64_t r = 0; r < tp; ++r) {
        const RowRange shard = vocab_shard(vocab, tp, r, kGpuTraits);
        EXPECT_EQ(shard.begin, end);
        EXPECT_GE(shard.count, vocab / tp);
        EXPECT_LE(shard.count, vocab / tp + 1);
        EXPECT_EQ((shard.count + shard.padding) % 64, 0);
        EXPECT_LT(shard.padding, 64);
        EXPECT_EQ(vocab_shard(vocab, tp, r).padding, 0);
        end += shard.count;
      }
      EXPECT_EQ(end, vocab);
    }
  }
}

}  // namespace
}  // namespace stepmark
