// SPDX-License-Identifier: Apache-2.0
// In place of cudnn_attention.cpp where cuDNN's headers were missing when this was built.
#include "kernels/cuda/attention/cudnn_attention.h"

namespace stepmark::cuda {

bool CudnnAttention::takes(const OpShape&, void* const*) { return true; }
std::optional<CudnnAttention::Prepared> CudnnAttention::try_prepare(const OpShape&, void* const*,
                                                                    KernelContext&,
                                                                    std::string* reason) {
  *reason = "this build found no cuDNN headers";
  return std::nullopt;
}
int CudnnAttention::plans() { return 0; }

}  // namespace stepmark::cuda
