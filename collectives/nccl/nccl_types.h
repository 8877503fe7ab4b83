// SPDX-License-Identifier: Apache-2.0
// Element types and reductions in NCCL's terms.
#pragma once

#include <nccl.h>

#include "collectives/comm.h"
#include "core/dtype.h"

namespace stepmark {

[[nodiscard]] ncclDataType_t nccl_type(DType dtype);
[[nodiscard]] ncclRedOp_t nccl_op(ReduceOp op);
[[nodiscard]] bool is_fp8(DType dtype);

}  // namespace stepmark
