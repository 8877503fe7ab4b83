// SPDX-License-Identifier: Apache-2.0
// What computes ops on the host, for records.
#pragma once

#include <string>

#include "kernels/op.h"

namespace stepmark {

// "openblas 0.3.21 Haswell" (version and the kernels chosen for this CPU) for GEMMs, "own
// x86-64-v3" (the instruction set chosen) for other kernels, and "own x86-64-v3 with openblas ..."
// for attention, whose GEMMs are OpenBLAS's.
[[nodiscard]] std::string host_engine_of(const OpShape& shape);

}  // namespace stepmark
