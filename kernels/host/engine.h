// SPDX-License-Identifier: Apache-2.0
// What computes ops on the host, for records.
#pragma once

#include <string>

#include "kernels/op.h"

namespace stepmark {

// "openblas 0.3.21 Haswell" (version and the kernels chosen for this CPU) for products, "own with
// openblas ..." for attention, whose products are its; empty for what has one implementation.
[[nodiscard]] std::string host_engine_of(const OpShape& shape);

}  // namespace stepmark
