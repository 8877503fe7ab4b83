// SPDX-License-Identifier: Apache-2.0
// A named range on the host's timeline of Nsight Systems; next to nothing where no tool listens.
#pragma once

#include <nvtx3/nvToolsExt.h>

namespace stepmark::cuda {

class NvtxRange {
 public:
  explicit NvtxRange(const char* name) { nvtxRangePushA(name); }
  ~NvtxRange() { nvtxRangePop(); }
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;
};

}  // namespace stepmark::cuda
