// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "collectives/comm.h"
#include "core/dtype.h"

namespace stepmark::test {

inline constexpr std::array kAllDTypes{DType::f32,    DType::f64,    DType::bf16, DType::f16,
                                       DType::f8e4m3, DType::f8e5m2, DType::i8,   DType::u8,
                                       DType::i32,    DType::u32,    DType::i64,  DType::u64};
inline constexpr std::array kAllReduceOps{ReduceOp::sum, ReduceOp::avg, ReduceOp::min,
                                          ReduceOp::max, ReduceOp::prod};

}  // namespace stepmark::test
