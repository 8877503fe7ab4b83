// SPDX-License-Identifier: Apache-2.0
// GEMMs on the GPU: who computes them, that what is folded in gives the same, and what
// the search for the fastest algorithm leaves alone.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "core/cuda/check.h"
#include "core/error.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/gemm/cublaslt_matmul.h"
#include "kernels/ops/experts.h"
#include "kernels/ops/fp8.h"
#include "kernels/ops/gemm.h"
#include "tests/equivalence_kernels/op_fixture.h"

namespace stepmark::test {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// An environment variable, for as long as this lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) before_ = std::make_unique<std::string>(old);
    setenv(name, value, 1);
  }
  ~Variable() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::unique_ptr<std::string> before_;
};

// The real library takes more than its documentation promises.
bool library_is_emulated() { return cuda::cublaslt().path.find("emulated") != std::string::npos; }

// Operands on the device, `offset` elements behind an aligned address.
class OnDevice {
 public:
  OnDevice(const OpShape& shape, const Values& values, std::size_t offset) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      GuardedBuffer host(dtype_of(shape, i), values[i]);
      void* block = nullptr;
      const std::size_t skipped = offset * size_of(dtype_of(shape, i));
      if (host.size_bytes() > 0) {
        STEPMARK_CUDA_CHECK(cudaMalloc(&block, host.size_bytes() + skipped));
        pointers.push_back(static_cast<std::byte*>(block) + skipped);
        STEPMARK_CUDA_CHECK(
            cudaMemcpy(pointers[i], host.data(), host.size_bytes(), cudaMemcpyHostToDevice));
      } else {
        pointers.push_back(nullptr);
      }
      blocks_.push_back(block);
    }
  }
  ~OnDevice() {
    for (void* block : blocks_) cuda::log_cuda_error(cudaFree(block), "cudaFree");
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  [[nodiscard]] std::vector<double> values(const OpShape& shape, std::size_t i) const {
    GuardedBuffer host(dtype_of(shape, i),
                       std::vector<double>(static_cast<std::size_t>(elements_of(shape, i))));
    if (host.size_bytes() > 0) {
      STEPMARK_CUDA_CHECK(
          cudaMemcpy(host.data(), pointers[i], host.size_bytes(), cudaMemcpyDeviceToHost));
    }
    return host.values();
  }

  std::vector<void*> pointers;

 private:
  std::vector<void*> blocks_;
};

// Runs the op, compares it with the reference, and says who computed it.
std::string engine_of(const OpShape& shape, std::size_t offset = 0) {
  SCOPED_TRACE(to_text(shape));
  const Values before = random_operands(shape, 3);
  Values want = before;
  run_reference(shape, want);
  cuda::KernelContext context;
  const OnDevice device(shape, before, offset);
  cuda::prepare(shape, device.pointers.data(), context)(nullptr);
  STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!is_written(shape, i)) continue;
    EXPECT_LE(relative_error(device.values(shape, i), want[i]), tolerance_of(shape, i))
        << info_of(shape.id).operands[i].name;
  }
  return cuda::engine_note(shape).engine;
}

constexpr std::int64_t kM = 24, kN = 40, kK = 48;  // rows of 16 bytes in every type

TEST(Gemm, LibraryMultipliesInEveryForm) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    for (std::int64_t flags = 0; flags < 32; ++flags) {
      const auto bit = [&](int i) { return flags >> i & 1; };
      const GemmShape g{.m = kM,
                        .n = kN,
                        .k = kK,
                        .trans_a = bit(0),
                        .trans_b = bit(1),
                        .bias = bit(2),
                        .accumulate = bit(3),
                        .out_f32 = bit(4)};
      const std::string engine = engine_of(pack(g, dtype));
      EXPECT_THAT(engine, StartsWith("cublaslt algorithm="));
      // A bf16 bias of an fp32 result is what the library does not add along.
      const bool unfused = g.bias != 0 && dtype == DType::bf16 && g.out_f32 != 0;
      if (g.bias != 0) {
        EXPECT_THAT(engine, EndsWith(unfused ? " + bias" : " epilogue=bias"));
      }
    }
  }
}

TEST(Gemm, LibraryFoldsInWhatFollows) {
  const Variable untimed("STEPMARK_GEMM_SEARCH", "0");
  for (const std::int64_t flags : {0, 1, 2, 3}) {
    const std::int64_t ta = flags & 1, tb = flags >> 1;
    for (const DType dtype : {DType::bf16, DType::f32}) {
      EXPECT_THAT(
          engine_of(
              pack(GemmGeluShape{.m = kM, .n = kN, .k = kK, .trans_a = ta, .trans_b = tb}, dtype)),
          AllOf(StartsWith("cublaslt"), EndsWith("epilogue=gelu_aux")));
      EXPECT_THAT(
          engine_of(pack(
              GemmGeluShape{.m = kM, .n = kN, .k = kK, .trans_a = ta, .trans_b = tb, .bias = 1},
              dtype)),
          AllOf(StartsWith("cublaslt"), EndsWith("epilogue=gelu_aux_bias")));
      EXPECT_THAT(
          engine_of(
              pack(GemmDgeluShape{.m = kM, .n = kN, .k = kK, .trans_a = ta, .trans_b = tb}, dtype)),
          AllOf(StartsWith("cublaslt"), EndsWith("epilogue=dgelu")));
    }
  }
  EXPECT_THAT(engine_of(pack(GemmBiasGradShape{.m = kM, .n = kN, .k = kK}, DType::bf16)),
              AllOf(StartsWith("cublaslt"), EndsWith("epilogue=bgradb")));
}

TEST(Gemm, PassesFollowWhereTheLibraryCannotFoldThemIn) {
  // Rows of the operand of GELU are no multiple of 8.
  EXPECT_THAT(engine_of(pack(GemmGeluShape{.m = kM, .n = 44, .k = kK, .bias = 1}, DType::bf16)),
              AllOf(StartsWith("cublaslt"), EndsWith("epilogue=bias + gelu")));
  EXPECT_THAT(engine_of(pack(GemmDgeluShape{.m = kM, .n = 44, .k = kK}, DType::bf16)),
              AllOf(StartsWith("cublaslt"), EndsWith(" + dgelu")));
  // The library writes gradients of biases, and does not add to them.
  const GemmBiasGradShape added{.m = kM, .n = kN, .k = kK, .accumulate = 1};
  EXPECT_THAT(engine_of(pack(added, DType::bf16)),
              AllOf(StartsWith("cublaslt"), EndsWith(" + bias_grad")));
}

// The engine of an op on these operands, which is not launched.
cuda::EngineNote prepared(const OpShape& shape, std::byte* operand) {
  std::array<void*, 4> operands{};
  operands.fill(operand);
  cuda::KernelContext context;
  static_cast<void>(cuda::prepare(shape, operands.data(), context));
  return cuda::engine_of(shape);
}

TEST(Gemm, ExpertsSayWhatMultipliesThem) {
  alignas(16) std::array<std::byte, 32> memory{};
  const ExpertsGemmShape gemm{.experts = 2, .rows = 9, .n = kN, .k = kK};
  const ExpertsWgradShape wgrad{.experts = 2, .rows = 9, .m = kM, .n = kN};
  for (const OpShape& shape : {pack(gemm, DType::bf16), pack(wgrad, DType::bf16)}) {
    SCOPED_TRACE(to_text(shape));
    const int capability = cuda::KernelContext().compute_capability();
    const cuda::EngineNote aligned = prepared(shape, memory.data());
    EXPECT_EQ(aligned.engine, "own kernel on tensor cores");
    EXPECT_EQ(aligned.refused, cuda::lost_by_mma(capability));
    EXPECT_EQ(aligned.refused.empty(), capability < 90) << "what it leaves unused is said";
    const cuda::EngineNote shifted = prepared(shape, memory.data() + sizeof(std::uint16_t));
    EXPECT_EQ(shifted.engine, "own kernel without tensor cores");
    EXPECT_THAT(shifted.refused, HasSubstr("aligned"));
    for (const std::size_t width : {2, 3}) {  // of n and k, m and n
      OpShape odd = shape;
      ++odd.dims[width];
      EXPECT_EQ(prepared(odd, memory.data()).engine, "own kernel without tensor cores") << width;
    }
  }
  const cuda::EngineNote single = prepared(pack(gemm, DType::f32), memory.data());
  EXPECT_EQ(single.engine, "own kernel without tensor cores");
  EXPECT_EQ(single.refused, "");
}

TEST(Gemm, OwnKernelMultipliesWhereTheLibraryCannot) {
  const OpShape nothing = pack(GemmShape{.m = kM, .n = kN, .k = 0, .bias = 1}, DType::bf16);
  EXPECT_EQ(engine_of(nothing), "own kernel");
  EXPECT_EQ(cuda::engine_of(nothing).refused, "") << "a sum over nothing is no GEMM";
  EXPECT_EQ(engine_of(pack(GemmShape{.m = kM, .n = kN, .k = 0, .accumulate = 1}, DType::f32)),
            "own kernel");
  const Fp8GemmShape fp8{.m = 16, .n = 32, .k = 64};
  EXPECT_EQ(engine_of(pack(fp8, DType::bf16), 1), "own kernel");
  if (!library_is_emulated()) GTEST_SKIP() << "the rest holds for the emulated library only";
  const GemmShape odd{.m = kM, .n = kN, .k = kK, .bias = 1};
  EXPECT_EQ(engine_of(pack(odd, DType::bf16), 1), "own kernel");
  EXPECT_THAT(cuda::engine_of(pack(odd, DType::bf16)).refused, HasSubstr("no algorithm"));
  EXPECT_EQ(engine_of(pack(GemmShape{.m = 13, .n = 37, .k = 29}, DType::bf16)), "own kernel");
  EXPECT_EQ(engine_of(pack(GemmGeluShape{.m = kM, .n = kN, .k = kK}, DType::bf16), 1),
            "own kernel + gelu");
}

TEST(Gemm, Fp8GoesThroughTheLibrary) {
  cuda::KernelContext context;
  if (context.compute_capability() < 89) GTEST_SKIP() << "this GPU has no fp8 tensor cores";
  for (const std::int64_t flags : {0, 1, 2}) {
    const Fp8GemmShape tensor{.m = 24,
                              .n = 48,
                              .k = 64,
                              .a_e5m2 = flags & 1,
                              .b_e5m2 = flags >> 1,
                              .out_f32 = flags & 1,
                              .accumulate = flags >> 1};
    for (const DType dtype : {DType::bf16, DType::f32}) {
      EXPECT_THAT(engine_of(pack(tensor, dtype)),
                  AllOf(StartsWith("cublaslt"), EndsWith("scales=tensor")));
    }
  }
  if (context.compute_capability() != 90) GTEST_SKIP() << "scales of blocks need Hopper";
  // 3 blocks of k, which the library wants padded to 4; 2 of n.
  const Fp8GemmShape blocks{.m = 12, .n = 144, .k = 384, .accumulate = 1, .blockwise = 1};
  EXPECT_THAT(engine_of(pack(blocks, DType::bf16)),
              AllOf(StartsWith("cublaslt"), EndsWith("scales=blocks")));
  const Fp8GemmShape odd_rows{.m = 13, .n = 144, .k = 384, .blockwise = 1};
  EXPECT_EQ(engine_of(pack(odd_rows, DType::bf16)), "own kernel");
}

TEST(Gemm, SearchesOnceForEqualLayers) {
  const OpShape shape = pack(GemmShape{.m = 32, .n = 56, .k = 72}, DType::bf16);
  const int before = cuda::matmuls_looked_up();
  const std::string engine = engine_of(shape);
  EXPECT_THAT(engine, StartsWith("cublaslt algorithm="));
  // A library may have one proposal only: then there is nothing to time.
  if (library_is_emulated()) {
    EXPECT_THAT(engine, HasSubstr(" timed"));
  }
  EXPECT_EQ(cuda::matmuls_looked_up(), before + 1);
  EXPECT_EQ(engine_of(shape), engine);
  EXPECT_EQ(cuda::matmuls_looked_up(), before + 1);
  engine_of(pack(GemmShape{.m = 32, .n = 56, .k = 88}, DType::bf16));
  EXPECT_EQ(cuda::matmuls_looked_up(), before + 2);
}

TEST(Gemm, RecordsNameTheVersion) {
  const OpShape shape = pack(GemmShape{.m = kM, .n = kN, .k = kK}, DType::bf16);
  engine_of(shape);
  EXPECT_THAT(cuda::engine_of(shape).engine,
              StartsWith("cublaslt " + cuda::cublaslt().version + " algorithm="));
  EXPECT_EQ(cuda::engine_of(shape).refused, "");
}

TEST(Gemm, SearchCanBeTurnedOff) {
  const Variable off("STEPMARK_GEMM_SEARCH", "0");
  EXPECT_THAT(engine_of(pack(GemmShape{.m = 40, .n = 56, .k = 72}, DType::bf16)),
              AllOf(HasSubstr("proposal=0"), Not(HasSubstr("timed"))));
}

TEST(Gemm, SearchTakesTheFastest) {
  if (!library_is_emulated()) GTEST_SKIP() << "which one is the fastest is not known";
  const Variable fastest("STEPMARK_EMULATED_CUBLASLT_FASTEST", "3");
  EXPECT_THAT(engine_of(pack(GemmShape{.m = 48, .n = 56, .k = 72}, DType::bf16)),
              StartsWith("cublaslt algorithm=3 "));
}

// Shapes of their own: what was found is kept for the process.
TEST(Gemm, JoinedAndApartAreTimed) {
  const auto shapes = [](std::int64_t m) {
    return std::vector{pack(GemmGeluShape{.m = m, .n = 40, .k = 48, .bias = 1}, DType::bf16),
                       pack(GemmDgeluShape{.m = m, .n = 40, .k = 48}, DType::bf16),
                       pack(GemmBiasGradShape{.m = m, .n = 40, .k = 48}, DType::bf16)};
  };
  for (const OpShape& shape : shapes(104)) {
    EXPECT_THAT(engine_of(shape), testing::AnyOf(EndsWith(" (faster than unfused)"),
                                                 EndsWith(" (faster than fused)")));
  }
  if (!library_is_emulated()) GTEST_SKIP() << "which one is faster is not known";
  const Variable slow("STEPMARK_EMULATED_CUBLASLT_SLOW_EPILOGUES", "1");
  const auto given = shapes(112);
  EXPECT_THAT(engine_of(given[1]), AllOf(HasSubstr(" + dgelu"), EndsWith("(faster than fused)")));
  EXPECT_THAT(engine_of(given[2]),
              AllOf(HasSubstr(" + bias_grad"), EndsWith("(faster than fused)")));
}

// As PyTorch by default: bf16 into bf16, and nothing else.
TEST(Gemm, PartsOfSumsAreAddedInBf16WhereTheRivalsAre) {
  if (!library_is_emulated()) GTEST_SKIP() << "which one is the fastest is not known";
  const Variable fastest("STEPMARK_EMULATED_CUBLASLT_FASTEST", "4");
  EXPECT_THAT(engine_of(pack(GemmShape{.m = 64, .n = 56, .k = 72}, DType::bf16)),
              HasSubstr("split_k=2 reduction=bf16"));
  EXPECT_THAT(engine_of(pack(GemmShape{.m = 64, .n = 56, .k = 72, .out_f32 = 1}, DType::bf16)),
              Not(HasSubstr("reduction=bf16")));
  EXPECT_THAT(engine_of(pack(Fp8GemmShape{.m = 64, .n = 48, .k = 64}, DType::bf16)),
              Not(HasSubstr("reduction=bf16")));
  const Variable strict("STEPMARK_GEMM_REDUCTION", "fp32");
  EXPECT_THAT(engine_of(pack(GemmShape{.m = 72, .n = 56, .k = 72}, DType::bf16)),
              Not(HasSubstr("reduction=bf16")));
}

TEST(Gemm, PreparingLeavesOperandsAlone) {
  for (const OpShape& shape :
       {pack(GemmShape{.m = 56, .n = 40, .k = 48, .accumulate = 1, .out_f32 = 1}, DType::bf16),
        pack(GemmBiasGradShape{.m = 56, .n = 40, .k = 48}, DType::bf16),
        pack(GemmGeluShape{.m = 56, .n = 40, .k = 48, .bias = 1}, DType::bf16)}) {
    SCOPED_TRACE(to_text(shape));
    Values before = random_operands(shape, 5);
    for (std::vector<double>& operand : before) {
      for (double& v : operand) v = std::isnan(v) ? 7.0 : v;
    }
    cuda::KernelContext context;
    const OnDevice device(shape, before, 0);
    const auto enqueue = cuda::prepare(shape, device.pointers.data(), context);
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    // With one proposal only nothing is timed, and nothing can be disturbed.
    if (library_is_emulated()) {
      EXPECT_THAT(cuda::engine_note(shape).engine, HasSubstr(" timed"));
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(device.values(shape, i), before[i]) << info_of(shape.id).operands[i].name;
    }
  }
}

std::string failure_to_open() {
  try {
    static_cast<void>(cuda::open_cublaslt());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    return error.what();
  }
  return "opened";
}

TEST(Gemm, SaysWhichLibraryIsMissingAndWhatToDo) {
  const Variable nowhere("STEPMARK_CUBLASLT_LIBRARY", "/nowhere/libcublasLt.so");
  EXPECT_THAT(failure_to_open(),
              AllOf(HasSubstr("cuBLASLt was not found"), HasSubstr("/nowhere/libcublasLt.so"),
                    HasSubstr("LD_LIBRARY_PATH"), HasSubstr("/usr/local/cuda/lib64"),
                    HasSubstr("STEPMARK_CUBLASLT_LIBRARY"), HasSubstr("Install CUDA")));
}

TEST(Gemm, RefusesALibraryThatIsAnother) {
  const Variable another("STEPMARK_CUBLASLT_LIBRARY", "libm.so.6");
  EXPECT_THAT(failure_to_open(), AllOf(HasSubstr("libm"), HasSubstr("has no function cublasLt")));
}

TEST(Gemm, RefusesAnotherMajorVersion) {
  if (!library_is_emulated()) GTEST_SKIP() << "one cannot choose the real library's version";
  const std::string other = std::to_string((CUBLAS_VER_MAJOR - 1) * 10000 + 605);
  const Variable version("STEPMARK_EMULATED_CUBLASLT_VERSION", other.c_str());
  EXPECT_THAT(failure_to_open(),
              AllOf(HasSubstr("is cuBLASLt " + std::to_string(CUBLAS_VER_MAJOR - 1) + ".6.5"),
                    HasSubstr("the header of cuBLASLt " + std::to_string(CUBLAS_VER_MAJOR)),
                    HasSubstr("STEPMARK_CUBLASLT_LIBRARY")));
}

}  // namespace
}  // namespace stepmark::test
