// SPDX-License-Identifier: Apache-2.0
// The trial writes into memory of its own, so that operands keep their content, and a later
// proposal must be clearly faster than the best before: runs should not differ in their algorithm
// by noise. Without memory for a trial the first proposal stands.
#include "kernels/cuda/gemm/cublaslt_search.h"

#include <algorithm>
#include <limits>

#include "core/cuda/check.h"
#include "core/cuda/handles.h"
#include "core/error.h"

namespace stepmark::cuda {
namespace {

constexpr int kTimedRuns = 3;
constexpr std::size_t kMostTrialBytes = std::size_t{1} << 30;

std::size_t rounded(std::int64_t elements, DType type) {
  return (static_cast<std::size_t>(elements) * size_of(type) + 255) / 256 * 256;
}

cudaDataType_t cuda_type(DType type) {
  switch (type) {
    case DType::f32:
      return CUDA_R_32F;
    case DType::bf16:
      return CUDA_R_16BF;
    case DType::f8e4m3:
      return CUDA_R_8F_E4M3;
    case DType::f8e5m2:
      return CUDA_R_8F_E5M2;
    default:
      fail("cuBLASLt is not used for this type");
  }
}

bool writes_aux(cublasLtEpilogue_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_GELU_AUX || epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
}
bool writes_bias(cublasLtEpilogue_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_BGRADA || epilogue == CUBLASLT_EPILOGUE_BGRADB;
}

}  // namespace

TrialMemory::TrialMemory(std::size_t bytes) {
  if (bytes > kMostTrialBytes || cudaMalloc(&data_, bytes) != cudaSuccess) {
    data_ = nullptr;
    // Too little memory is not an error here, and must not be taken for one of a later launch.
    static_cast<void>(cudaGetLastError());
  }
}
TrialMemory::~TrialMemory() { log_cuda_error(cudaFree(data_), "cudaFree"); }

float time_of(const std::function<void(cudaStream_t)>& work) {
  const StreamOwner stream = make_stream();
  const EventOwner begin = make_timing_event(), end = make_timing_event();
  float best = std::numeric_limits<float>::infinity();
  for (int run = 0; run <= kTimedRuns; ++run) {
    STEPMARK_CUDA_CHECK(cudaEventRecord(begin.get(), stream.get()));
    try {
      work(stream.get());
    } catch (const Error&) {
      STEPMARK_CUDA_CHECK(cudaStreamSynchronize(stream.get()));
      return std::numeric_limits<float>::infinity();
    }
    STEPMARK_CUDA_CHECK(cudaEventRecord(end.get(), stream.get()));
    STEPMARK_CUDA_CHECK(cudaEventSynchronize(end.get()));
    const auto milliseconds = static_cast<float>(elapsed_ns(begin.get(), end.get()) * 1e-6);
    if (run > 0) best = std::min(best, milliseconds);  // the first loads the kernel
  }
  return best;
}

MatmulCall make_call(const Matmul& m) {
  MatmulCall call{.matmul = m,
                  .desc = make_matmul_desc(),
                  .a = m.trans_a ? make_layout(cuda_type(m.a), m.k, m.m)
                                 : make_layout(cuda_type(m.a), m.m, m.k),
                  .b = m.trans_b ? make_layout(cuda_type(m.b), m.n, m.k)
                                 : make_layout(cuda_type(m.b), m.k, m.n),
                  .d = make_layout(cuda_type(m.d), m.m, m.n)};
  set(call.desc, CUBLASLT_MATMUL_DESC_TRANSA, m.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(call.desc, CUBLASLT_MATMUL_DESC_TRANSB, m.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(call.desc, CUBLASLT_MATMUL_DESC_EPILOGUE, m.epilogue);
  if (size_of(m.a) == 1) {
    constexpr std::int8_t kOff = 0;  // sums would keep fewer bits than fp32's
    set(call.desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, kOff);
    set(call.desc, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, m.a_scale);
    set(call.desc, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, m.b_scale);
  }
  return call;
}

void set_pointers(const MatmulCall& call, const MatmulOperands& x) {
  if (x.bias != nullptr) set(call.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, x.bias);
  if (x.aux != nullptr) {
    set(call.desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, x.aux);
    set(call.desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, call.matmul.m);
  }
  if (x.a_scale != nullptr) set(call.desc, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, x.a_scale);
  if (x.b_scale != nullptr) set(call.desc, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, x.b_scale);
}

cublasStatus_t enqueue(const MatmulCall& call, const MatmulOperands& x,
                       const cublasLtMatmulAlgo_t& algorithm, void* workspace,
                       std::size_t workspace_bytes, int device, cudaStream_t stream) {
  const float alpha = 1.0F, beta = call.matmul.accumulate ? 1.0F : 0.0F;
  return cublaslt().cublasLtMatmul(cublaslt_handle(device), call.desc.get(), &alpha, x.a,
                                   call.a.get(), x.b, call.b.get(), &beta, x.d, call.d.get(), x.d,
                                   call.d.get(), &algorithm, workspace, workspace_bytes, stream);
}

std::size_t fastest(const Matmul& m, const MatmulOperands& operands,
                    std::span<const cublasLtMatmulHeuristicResult_t> proposals, int device) {
  std::size_t workspace_bytes = 0;
  for (const auto& p : proposals) workspace_bytes = std::max(workspace_bytes, p.workspaceSize);
  workspace_bytes = (workspace_bytes + 255) / 256 * 256;
  const std::size_t d_bytes = rounded(m.m * m.n, m.d);
  const std::size_t aux_bytes = writes_aux(m.epilogue) ? d_bytes : 0;
  const std::size_t bias_bytes = writes_bias(m.epilogue) ? rounded(std::max(m.m, m.n), m.d) : 0;
  const TrialMemory memory(workspace_bytes + d_bytes + aux_bytes + bias_bytes);
  if (memory.data() == nullptr) return 0;

  MatmulOperands trial = operands;
  trial.d = memory.data() + workspace_bytes;
  if (aux_bytes > 0) trial.aux = memory.data() + workspace_bytes + d_bytes;
  if (bias_bytes > 0) trial.bias = memory.data() + workspace_bytes + d_bytes + aux_bytes;
  const MatmulCall call = make_call(m);
  set_pointers(call, trial);
  std::size_t best = 0;
  float best_time = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < proposals.size(); ++i) {
    const float time = time_of([&](cudaStream_t stream) {
      check_cublaslt(enqueue(call, trial, proposals[i].algo, memory.data(),
                             proposals[i].workspaceSize, device, stream),
                     "cublasLtMatmul");
    });
    if (time < best_time * kClearlyFaster) {
      best = i;
      best_time = time;
    }
  }
  return best;
}

}  // namespace stepmark::cuda
