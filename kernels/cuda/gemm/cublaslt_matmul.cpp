// SPDX-License-Identifier: Apache-2.0
// The heuristic's proposals are timed once per device, problem and alignment of its operands, and
// the fastest is kept for the process; STEPMARK_GEMM_SEARCH=0 takes the first one. Sums that are
// cut along k are added up as PyTorch does by default, or comparisons with it would be unfair.
#include "kernels/cuda/gemm/cublaslt_matmul.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "kernels/cuda/gemm/cublaslt_search.h"

namespace stepmark::cuda {

struct MatmulPlan::State {
  MatmulCall call;
  MatmulOperands operands;
  cublasLtMatmulAlgo_t algorithm{};
  std::size_t workspace_bytes = 0;
  int device = 0;
  std::shared_ptr<Scratch> scratch;
  std::string engine;
};

namespace {

constexpr int kProposals = 8;

struct Choice {
  cublasLtMatmulAlgo_t algorithm{};
  std::size_t workspace_bytes = 0;
  std::string engine;
};

// Largest power of two that divides the address, at most 256: what cuBLASLt asks about.
std::uint32_t alignment_of(const void* address) {
  const auto bits = reinterpret_cast<std::uintptr_t>(address) | 256U;
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}

using Alignments = std::array<std::uint32_t, 5>;
using Problem = std::tuple<int, Matmul, Alignments>;  // on a device

Alignments alignments_of(const MatmulOperands& x) {
  return {alignment_of(x.a), alignment_of(x.b), alignment_of(x.d), alignment_of(x.bias),
          alignment_of(x.aux)};
}

bool variable_is(const char* name, std::string_view value) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  const char* found = std::getenv(name);
  return found != nullptr && value == found;
}

// Whether parts of a sum that is cut along k may be added up in d's type, bf16. As PyTorch decides
// by default: torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction is true, and
// GEMMs of bf16 into bf16 heed it. A rival held to more bits than the other is no rival; fp8 and
// results in fp32 are added up in fp32 on both sides.
bool may_reduce_in_bf16(const Matmul& m) {
  return m.a == DType::bf16 && m.d == DType::bf16 &&
         !variable_is("STEPMARK_GEMM_REDUCTION", "fp32");
}

MatmulPreference preference_of(const Matmul& m, const MatmulOperands& x,
                               std::uint64_t workspace_bytes) {
  MatmulPreference preference = make_preference();
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(x.a));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(x.b));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(x.d));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(x.d));
  if (m.d != DType::f32 && !may_reduce_in_bf16(m)) {
    constexpr std::uint32_t kInFp32 = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, kInFp32);
  }
  return preference;
}

// More than cuBLAS's documentation recommends (32 MiB from Hopper on, 4 MiB before): an algorithm
// shall not be missed for want of it. Only what the chosen one needs is reserved.
std::size_t most_workspace_bytes(const KernelContext& context) {
  return (context.compute_capability() >= 90 ? std::size_t{64} : std::size_t{32}) << 20;
}

template <class T>
T config(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t attribute) {
  T value{};
  std::size_t written = 0;
  const auto status = cublaslt().cublasLtMatmulAlgoConfigGetAttribute(&algorithm, attribute, &value,
                                                                      sizeof(value), &written);
  return status == CUBLAS_STATUS_SUCCESS ? value : T{};
}

// "", or in which type the parts of a sum are added up.
std::string reduction_of(const cublasLtMatmulAlgo_t& algorithm, DType d) {
  if (config<std::int32_t>(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM) <= 1) return "";
  const auto scheme = config<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
  const bool in_fp32 = scheme == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE || d == DType::f32;
  return in_fp32 ? " reduction=fp32" : " reduction=bf16";
}

std::string describe(const Choice& choice, DType d, std::size_t index, std::size_t timed) {
  const auto& algorithm = choice.algorithm;
  return fmt::format("cublaslt algorithm={} tile={} stages={} split_k={}{} proposal={}{}",
                     config<std::int32_t>(algorithm, CUBLASLT_ALGO_CONFIG_ID),
                     config<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_TILE_ID),
                     config<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_STAGES_ID),
                     config<std::int32_t>(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
                     reduction_of(algorithm, d), index,
                     timed > 0 ? fmt::format(" of {} timed", timed) : std::string());
}

std::optional<Choice> look_up(const MatmulCall& call, const MatmulOperands& x,
                              std::size_t workspace_bytes, int device) {
  const MatmulPreference preference = preference_of(call.matmul, x, workspace_bytes);
  std::array<cublasLtMatmulHeuristicResult_t, kProposals> results{};
  int count = 0;
  const cublasStatus_t status = cublaslt().cublasLtMatmulAlgoGetHeuristic(
      cublaslt_handle(device), call.desc.get(), call.a.get(), call.b.get(), call.d.get(),
      call.d.get(), preference.get(), kProposals, results.data(), &count);
  // Both are how the library says that it cannot: it has no kernel, or not for such arguments.
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return {};
  check_cublaslt(status, "cublasLtMatmulAlgoGetHeuristic");
  std::vector<cublasLtMatmulHeuristicResult_t> usable;
  for (int i = 0; i < count; ++i) {
    const auto& result = results[static_cast<std::size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) usable.push_back(result);
  }
  if (usable.empty()) return {};
  const bool search = usable.size() > 1 && !variable_is("STEPMARK_GEMM_SEARCH", "0");
  const std::size_t index = search ? fastest(call.matmul, x, usable, device) : 0;
  Choice choice{.algorithm = usable[index].algo,
                .workspace_bytes = usable[index].workspaceSize,
                .engine = {}};
  choice.engine = describe(choice, call.matmul.d, index, search ? usable.size() : 0);
  return choice;
}

struct Choices {
  std::mutex mutex;
  std::map<Problem, std::optional<Choice>> known;
};
Choices& choices() {
  static Choices all;
  return all;
}

}  // namespace

std::optional<MatmulPlan> plan_matmul(const Matmul& matmul, const MatmulOperands& operands,
                                      KernelContext& context) {
  const std::size_t workspace_bytes = most_workspace_bytes(context);
  MatmulCall call = make_call(matmul);
  set_pointers(call, operands);
  std::optional<Choice> choice;
  {
    // Held while searching: two streams that want the same shall not both look, nor time each
    // other.
    const std::lock_guard lock(choices().mutex);
    auto [entry, fresh] =
        choices().known.try_emplace({context.device(), matmul, alignments_of(operands)});
    if (fresh) {
      try {
        entry->second = look_up(call, operands, workspace_bytes, context.device());
      } catch (...) {
        choices().known.erase(entry);
        throw;
      }
    }
    choice = entry->second;
  }
  if (!choice) return {};
  context.scratch()->reserve(choice->workspace_bytes);
  return MatmulPlan(std::make_shared<const MatmulPlan::State>(
      MatmulPlan::State{.call = std::move(call),
                        .operands = operands,
                        .algorithm = choice->algorithm,
                        .workspace_bytes = choice->workspace_bytes,
                        .device = context.device(),
                        .scratch = context.scratch(),
                        .engine = choice->engine}));
}

int matmuls_looked_up() {
  const std::lock_guard lock(choices().mutex);
  return static_cast<int>(choices().known.size());
}

void MatmulPlan::enqueue(cudaStream_t stream) const {
  const State& s = *state_;
  check_cublaslt(cuda::enqueue(s.call, s.operands, s.algorithm, s.scratch->data(),
                               s.workspace_bytes, s.device, stream),
                 "cublasLtMatmul");
}

void MatmulPlan::enqueue(cudaStream_t stream, const float* a_scale, const float* b_scale) const {
  set_pointers(state_->call, {.a_scale = a_scale, .b_scale = b_scale});
  enqueue(stream);
}

std::size_t MatmulPlan::workspace_bytes() const { return state_->workspace_bytes; }
const std::string& MatmulPlan::engine() const { return state_->engine; }

}  // namespace stepmark::cuda
