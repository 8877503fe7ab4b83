// SPDX-License-Identifier: Apache-2.0
// What the libraries of a backend ask of the shapes that they are given: plain facts, known without
// the backend, its libraries or its hardware being there, so that `plan` can compute for machines
// that are elsewhere. A Device says its own (core/device.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace stepmark {

struct DeviceTraits {
  // Leading dims of matrices are padded to a multiple of so many elements where a GEMM meets
  // them and nothing but the GEMM needs to know (harness/program/padding.h). 1: never.
  std::int64_t dimension_multiple = 1;
  // Rows of a GEMM's operands that do not begin at a multiple of so many bytes cost time.
  std::int64_t row_bytes = 1;

  bool operator==(const DeviceTraits&) const = default;
};

// BLAS packs what it reads: any leading dim is as good as another.
inline constexpr DeviceTraits kHostTraits{};
// Tensor cores are most efficient where dims are multiples of 16 bytes, since the A100 of 128
// bytes, 64 elements of bf16 (NVIDIA, Matrix Multiplication Background User's Guide, section on
// Tensor Core requirements). The three GEMMs over GPT-2's odd vocabulary took 16 of a step's 31
// ms on an H100.
inline constexpr DeviceTraits kGpuTraits{.dimension_multiple = 64, .row_bytes = 16};

// Of a backend by its name, whether this program was built with it or not.
[[nodiscard]] constexpr std::optional<DeviceTraits> traits_of_backend(std::string_view name) {
  if (name == "host") return kHostTraits;
  if (name == "cuda") return kGpuTraits;
  return std::nullopt;
}

// `count` and what is added to it, to the next multiple.
[[nodiscard]] constexpr std::int64_t padded(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

}  // namespace stepmark
