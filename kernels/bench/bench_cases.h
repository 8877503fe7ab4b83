// SPDX-License-Identifier: Apache-2.0
// What the benchmark programs of all backends share: names of shapes and values of operands.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "core/rng.h"
#include "kernels/op.h"

namespace stepmark::bench {

// "gemm/bf16/m=4096/n=4096/..."
inline std::string name_of_case(const OpShape& shape) {
  const OpInfo& info = info_of(shape.id);
  std::string name = fmt::format("{}/{}", info.name, name_of(shape.dtype));
  for (std::size_t i = 0; i < info.dim_names.size(); ++i) {
    name += fmt::format("/{}={}", info.dim_names[i], shape.dims[i]);
  }
  return name;
}

// The first bytes of an operand, up to 4093 elements; the rest repeats them: enough for timing, and
// quick to make. Positive, so that second moments and statistics are valid.
inline std::vector<std::byte> operand_pattern(const OpShape& shape, std::size_t operand) {
  constexpr std::size_t kPeriod = 4093;
  const DType dtype = dtype_of(shape, operand);
  const std::size_t elements =
      std::min(static_cast<std::size_t>(elements_of(shape, operand)), kPeriod);
  std::vector<std::byte> bytes(elements * size_of(dtype));
  const Philox random(1, operand);
  for (std::size_t i = 0; i < elements; ++i) {
    const double value =
        dtype == DType::i32 ? static_cast<double>(random.below(i, 32000)) : 0.1 + random.uniform(i);
    store_from_double(bytes.data(), dtype, i, value);
  }
  return bytes;
}

}  // namespace stepmark::bench
