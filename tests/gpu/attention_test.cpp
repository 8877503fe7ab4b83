// SPDX-License-Identifier: Apache-2.0
// Attention at the borders of its tiles, which the registry's small shapes do not reach, with every
// kind of grouping and in every engine; and rotary embedding far out.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <cstdlib>

#include "kernels/cuda/attention/cudnn_attention.h"
#include "kernels/cuda/attention/cudnn_faults.h"
#include "kernels/cuda/engine_note.h"
#include "kernels/ops/attention.h"
#include "tests/gpu/device_run.h"

namespace stepmark::test {
namespace {

using ::testing::HasSubstr;

// STEPMARK_ATTENTION, for as long as it lives.
class Engine {
 public:
  explicit Engine(const char* name) { setenv("STEPMARK_ATTENTION", name, 1); }
  ~Engine() { setenv("STEPMARK_ATTENTION", "own", 1); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
};
[[maybe_unused]] const int kOwnByDefault = setenv("STEPMARK_ATTENTION", "own", 1);

void expect_reference(const OpShape& shape, bool misaligned) {
  SCOPED_TRACE(to_text(shape) + (misaligned ? " misaligned" : ""));
  const Values before = random_operands(shape, 11);
  Values want = before;
  run_reference(shape, want);
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

struct Case {
  std::int64_t batch, seq, heads, kv_heads, head_dim;
  bool misaligned = false;
};

template <class S>
OpShape shape_of(const Case& c, DType dtype = DType::bf16) {
  return pack(S{.batch = c.batch,
                .seq = c.seq,
                .heads = c.heads,
                .kv_heads = c.kv_heads,
                .head_dim = c.head_dim},
              dtype);
}
template <class S>
void expect_reference(const Case& c, DType dtype = DType::bf16) {
  expect_reference(shape_of<S>(c, dtype), c.misaligned);
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return fmt::format("b{}_s{}_h{}_kv{}_d{}{}", c.batch, c.seq, c.heads, c.kv_heads, c.head_dim,
                     c.misaligned ? "_misaligned" : "");
}

template <class S>
void expect_own(const Case& c) {
  expect_reference<S>(c);
  const bool tensor_cores = !c.misaligned && (c.head_dim == 64 || c.head_dim == 128);
  EXPECT_EQ(cuda::engine_note(shape_of<S>(c)).engine, tensor_cores ? "flash" : "plain");
}

class Attention : public testing::TestWithParam<Case> {};

TEST_P(Attention, ForwardMatchesTheReference) { expect_own<AttentionFwdShape>(GetParam()); }
TEST_P(Attention, BackwardMatchesTheReference) { expect_own<AttentionBwdShape>(GetParam()); }

// Tiles are 64 keys and 64 or 128 queries.
INSTANTIATE_TEST_SUITE_P(TensorCores, Attention,
                         testing::Values(Case{3, 1, 3, 3, 64}, Case{1, 63, 4, 1, 64},
                                         Case{2, 64, 4, 2, 64}, Case{1, 65, 3, 3, 64},
                                         Case{1, 130, 4, 2, 64}, Case{1, 200, 4, 1, 64},
                                         Case{2, 1, 4, 2, 128}, Case{1, 63, 3, 3, 128},
                                         Case{1, 64, 4, 1, 128}, Case{2, 65, 2, 1, 128},
                                         Case{1, 130, 3, 3, 128}, Case{1, 200, 4, 2, 128}),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Plain, Attention,
                         testing::Values(Case{2, 65, 4, 2, 32}, Case{1, 130, 4, 1, 80},
                                         Case{1, 33, 3, 3, 256}, Case{1, 65, 4, 2, 64, true},
                                         Case{1, 65, 2, 1, 128, true}),
                         name_of_case);

bool library_is_chosen() {
  const char* path = std::getenv("STEPMARK_CUDNN_LIBRARY");
  return path != nullptr && *path != 0;
}

// The graphs that cuDNN is given. Where a library is named (the emulated one), it must take them.
class CudnnAttention : public testing::TestWithParam<Case> {
 protected:
  template <class S>
  void expect_cudnn() {
    const Engine engine("cudnn");
    expect_reference<S>(GetParam());
    const std::string taken = cuda::engine_note(shape_of<S>(GetParam())).engine;
    if (taken.starts_with("cudnn")) return;
    if (!library_is_chosen()) GTEST_SKIP() << "cuDNN does not take it here: " << taken;
    FAIL() << taken;
  }
};

TEST_P(CudnnAttention, ForwardMatchesTheReference) { expect_cudnn<AttentionFwdShape>(); }
TEST_P(CudnnAttention, BackwardMatchesTheReference) { expect_cudnn<AttentionBwdShape>(); }

INSTANTIATE_TEST_SUITE_P(Graphs, CudnnAttention,
                         testing::Values(Case{2, 65, 4, 2, 64}, Case{1, 130, 3, 3, 128},
                                         Case{3, 2, 4, 1, 32}, Case{1, 33, 2, 1, 80}),
                         name_of_case);

// Prepares, without running, on operands that are aligned memory.
template <class S>
std::string engine_of(const Case& c) {
  alignas(256) static std::byte memory[1 << 20];
  void* operands[5] = {memory, memory, memory, memory, memory};
  cuda::KernelContext context;
  (void)cuda::prepare(shape_of<S>(c), operands, context);
  return cuda::engine_note(shape_of<S>(c)).engine;
}

// Of what was prepared last.
template <class S>
std::string refusal_of(const Case& c) {
  return cuda::engine_note(shape_of<S>(c)).refused;
}

// A version that is known to be wrong computes what it computes rightly, and nothing else. Run with
// STEPMARK_EMULATED_CUDNN_VERSION=91500.
TEST(CudnnFaults, AnOldLibraryComputesNoBackwardOfOddSequences) {
  const char* version = std::getenv("STEPMARK_EMULATED_CUDNN_VERSION");
  if (version == nullptr) GTEST_SKIP() << "needs a cuDNN that is known to be wrong";
  const Engine engine("cudnn");
  EXPECT_EQ(engine_of<AttentionBwdShape>({1, 130, 4, 2, 64}), "flash");
  EXPECT_EQ(engine_of<AttentionBwdShape>({1, 64, 4, 2, 80}), "plain");
  EXPECT_THAT(refusal_of<AttentionBwdShape>({1, 130, 4, 2, 64}), HasSubstr("multiple of 128"));
  EXPECT_EQ(engine_of<AttentionBwdShape>({1, 256, 4, 2, 64}),
            "cudnn 9.15.0 engine=5 sums=unordered");
  EXPECT_EQ(refusal_of<AttentionBwdShape>({1, 256, 4, 2, 64}), "");
  EXPECT_EQ(engine_of<AttentionFwdShape>({1, 130, 4, 2, 64}), "cudnn 9.15.0 engine=5");
}

TEST(CudnnFaults, AreThoseOfTheReleaseNotes) {
  EXPECT_TRUE(cuda::cudnn_backward_is_faulty(91000, 1000));
  EXPECT_TRUE(cuda::cudnn_backward_is_faulty(91500, 64));
  EXPECT_FALSE(cuda::cudnn_backward_is_faulty(91500, 1024));
  EXPECT_FALSE(cuda::cudnn_backward_is_faulty(91501, 1000));
}

class AttentionEngine : public testing::Test {
 protected:
  static std::string engine_for(const Case& c) {
    // Without cuDNN's number, which differs.
    const auto name = [](const std::string& engine) {
      return engine.substr(0, engine.find(" engine="));
    };
    const std::string engine = name(engine_of<AttentionFwdShape>(c));
    EXPECT_EQ(engine, name(engine_of<AttentionBwdShape>(c)));
    return engine;
  }
};

// Whatever the library that is found can do, or none: attention can be prepared.
TEST_F(AttentionEngine, FallsBackWhereCudnnCannot) {
  for (const char* name : {"cudnn", "auto"}) {
    const Engine engine(name);
    const std::string taken = engine_for({1, 128, 4, 2, 64});
    EXPECT_TRUE(taken == "flash" || taken.starts_with("cudnn")) << taken;
    const char* path = std::getenv("STEPMARK_CUDNN_LIBRARY");
    if (path != nullptr && std::string_view(path).starts_with("/nonexistent")) {
      EXPECT_EQ(taken, "flash");
      EXPECT_THAT(refusal_of<AttentionFwdShape>({1, 128, 4, 2, 64}),
                  HasSubstr("cuDNN was not found"));
    }
    EXPECT_EQ(engine_for({1, 1, 4, 2, 64}), "flash") << "sequences of one token are not cuDNN's";
  }
}

TEST_F(AttentionEngine, OwnMeansOwn) {
  const Engine engine("own");
  EXPECT_EQ(engine_for({1, 128, 4, 2, 64}), "flash");
  EXPECT_EQ(engine_for({1, 128, 4, 2, 80}), "plain");
  EXPECT_EQ(refusal_of<AttentionFwdShape>({1, 128, 4, 2, 80}), "") << "nobody asked for another";
}

// cuDNN's backward pass adds up in no fixed order, and says so; the other choice does not use it.
TEST_F(AttentionEngine, DeterministicTakesOrderedSumsBackwards) {
  const Case c{1, 256, 4, 2, 64};
  {
    const Engine engine("auto");
    const std::string taken = engine_of<AttentionBwdShape>(c);
    EXPECT_EQ(taken.starts_with("cudnn"), taken.ends_with(" sums=unordered")) << taken;
    const std::string forward = engine_of<AttentionFwdShape>(c);
    EXPECT_EQ(forward.find("unordered"), std::string::npos) << forward;
  }
  const Engine engine("deterministic");
  EXPECT_EQ(engine_of<AttentionBwdShape>(c), "flash");
  EXPECT_EQ(refusal_of<AttentionBwdShape>(c), "") << "it was asked for";
  EXPECT_EQ(engine_of<AttentionBwdShape>({1, 256, 4, 2, 80}), "plain");
  if (library_is_chosen() && refusal_of<AttentionFwdShape>(c).empty()) {
    EXPECT_TRUE(engine_of<AttentionFwdShape>(c).starts_with("cudnn"));
  }
}

// The layers of a model are many ops of one shape: compiled once, run where each one's operands
// are.
TEST(CudnnPlans, AreMadeOncePerShape) {
  const Engine engine("cudnn");
  const Case c{1, 192, 4, 2, 64};
  const int before = cuda::CudnnAttention::plans();
  const std::string taken = engine_of<AttentionFwdShape>(c);
  if (!taken.starts_with("cudnn")) GTEST_SKIP() << "no cuDNN here: " << taken;
  EXPECT_EQ(cuda::CudnnAttention::plans(), before + 1);
  for (int layer = 0; layer < 3; ++layer) {
    expect_reference<AttentionFwdShape>(c);
    expect_reference<AttentionBwdShape>(c);
  }
  EXPECT_EQ(cuda::CudnnAttention::plans(), before + 2) << "one per direction";
  (void)engine_of<AttentionFwdShape>({1, 320, 4, 2, 64});
  EXPECT_EQ(cuda::CudnnAttention::plans(), before + 3) << "another shape is another plan";
}

TEST_F(AttentionEngine, RefusesAnUnknownChoice) {
  const Engine engine("fastest");
  EXPECT_THROW((void)engine_for({1, 128, 4, 2, 64}), std::exception);
}

TEST_F(AttentionEngine, KnowsNothingOfShapesThatWereNotPrepared) {
  EXPECT_EQ(cuda::engine_note(shape_of<AttentionFwdShape>({1, 7, 1, 1, 64})).engine, "");
}

TEST(AttentionFp32, MatchesTheReference) {
  for (const Case& c : {Case{1, 130, 4, 2, 64}, Case{2, 65, 3, 3, 80}, Case{1, 17, 4, 1, 256}}) {
    expect_reference<AttentionFwdShape>(c, DType::f32);
    expect_reference<AttentionBwdShape>(c, DType::f32);
  }
}

// Large scores: exponents must be taken relative to the row's maximum, which the last key holds.
TEST(AttentionFwd, SurvivesLargeScores) {
  const auto shape =
      pack(AttentionFwdShape{.batch = 1, .seq = 150, .heads = 2, .kv_heads = 1, .head_dim = 64},
           DType::bf16);
  Values before = random_operands(shape, 5);
  for (double& v : before[0]) v *= 16;
  Values want = before;
  run_reference(shape, want);
  const HostResult got = run_cuda(shape, before, false);
  EXPECT_LE(relative_error(got.values[1], want[1]), tolerance_of(shape, 1));
  EXPECT_LE(relative_error(got.values[2], want[2]), 1e-6);
}

TEST(AttentionFwd, NanInGivesNanOut) {
  for (const std::int64_t head_dim : {64, 80}) {
    const AttentionFwdShape s{
        .batch = 1, .seq = 130, .heads = 1, .kv_heads = 1, .head_dim = head_dim};
    const auto shape = pack(s, DType::bf16);
    Values before = random_operands(shape, 5);
    // A key of token 70, in the middle of a tile: the queries behind it see it.
    before[0][static_cast<std::size_t>(70 * 3 * head_dim + head_dim)] = std::nan("");
    const HostResult got = run_cuda(shape, before, false);
    for (const std::int64_t token : {70, 127, 129}) {
      EXPECT_TRUE(std::isnan(got.values[1][static_cast<std::size_t>(token * head_dim)])) << token;
    }
    EXPECT_FALSE(std::isnan(got.values[1][static_cast<std::size_t>(10 * head_dim)]));
  }
}

TEST(AttentionBwd, RepeatsBitForBit) {
  const auto shape =
      pack(AttentionBwdShape{.batch = 1, .seq = 130, .heads = 4, .kv_heads = 2, .head_dim = 64},
           DType::bf16);
  const Values before = random_operands(shape, 7);
  EXPECT_EQ(run_cuda(shape, before, false).bytes, run_cuda(shape, before, false).bytes);
}

TEST(Attention, RefusesHeadsThatAreTooWide) {
  cuda::KernelContext context;
  void* operands[5] = {};
  const auto shape =
      pack(AttentionFwdShape{.batch = 1, .seq = 4, .heads = 1, .kv_heads = 1, .head_dim = 257},
           DType::f32);
  EXPECT_THROW((void)cuda::prepare(shape, operands, context), std::exception);
}

TEST(Attention, NothingToDoIsFine) {
  cuda::KernelContext context;
  void* operands[5] = {};
  cuda::prepare(pack(AttentionFwdShape{.heads = 1, .kv_heads = 1, .head_dim = 64}, DType::bf16),
                operands, context)(nullptr);
  cuda::prepare(pack(AttentionBwdShape{.heads = 1, .kv_heads = 1, .head_dim = 64}, DType::bf16),
                operands, context)(nullptr);
  cuda::prepare(pack(RopeShape{.heads = 1, .kv_heads = 1, .head_dim = 64}, DType::bf16), operands,
                context)(nullptr);
}

// Real heads: packs of 16 bytes, rotated ones in front of values that must stay as they are.
TEST(Rope, MatchesTheReferenceInPacks) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    for (const bool misaligned : {false, true}) {
      expect_reference(
          pack(
              RopeShape{
                  .batch = 2, .seq = 37, .heads = 4, .kv_heads = 2, .head_dim = 128, .theta = 5e5},
              dtype),
          misaligned);
    }
  }
}

TEST(Rope, StaysAccurateFarOut) {
  expect_reference(
      pack(RopeShape{.batch = 1, .seq = 131073, .heads = 1, .kv_heads = 1, .head_dim = 8},
           DType::f32),
      false);
}

// More pairs than the kernel's table holds.
TEST(Rope, TakesWideHeads) {
  expect_reference(
      pack(RopeShape{.batch = 1, .seq = 5, .heads = 2, .kv_heads = 1, .head_dim = 1100},
           DType::f32),
      false);
}

}  // namespace
}  // namespace stepmark::test
