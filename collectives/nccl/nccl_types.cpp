// SPDX-License-Identifier: Apache-2.0
// Numbers only: whether GPU and library can reduce a type is asked by the verbs, at the call.
#include "collectives/nccl/nccl_types.h"

#include <array>

namespace stepmark {

namespace {

// In the order of DType.
constexpr std::array kTypes{ncclFloat32,    ncclFloat64,    ncclBfloat16, ncclFloat16,
                            ncclFloat8e4m3, ncclFloat8e5m2, ncclInt8,     ncclUint8,
                            ncclInt32,      ncclUint32,     ncclInt64,    ncclUint64};
static_assert(kTypes.size() == static_cast<std::size_t>(DType::u64) + 1);
// In the order of ReduceOp.
constexpr std::array kOps{ncclSum, ncclAvg, ncclMin, ncclMax, ncclProd};
static_assert(kOps.size() == static_cast<std::size_t>(ReduceOp::prod) + 1);

}  // namespace

ncclDataType_t nccl_type(DType dtype) { return kTypes.at(static_cast<std::size_t>(dtype)); }

ncclRedOp_t nccl_op(ReduceOp op) { return kOps.at(static_cast<std::size_t>(op)); }

bool is_fp8(DType dtype) { return dtype == DType::f8e4m3 || dtype == DType::f8e5m2; }

}  // namespace stepmark
