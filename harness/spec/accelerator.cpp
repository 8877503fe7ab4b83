// SPDX-License-Identifier: Apache-2.0
// Memory is told in GB, GiB or MiB depending on whom one asks, and drivers keep some of it: sizes
// match within what those habits differ by, which still tells the sizes of one GPU apart.
#include "harness/spec/accelerator.h"

#include <fmt/format.h>

#include <cmath>

#include "core/units.h"

namespace stepmark {
namespace {

constexpr double kMostGb = 1e6;
constexpr double kDriversDiffer = 0.02;  // 40536 and 40960 MiB of the A100 40GB

// A GB is 1e9 bytes or 2^30, and the driver keeps some.
bool may_be_called(double gb, std::int64_t mib) {
  const double bytes = static_cast<double>(mib * kMiB);
  return bytes >= 0.9 * kGB * gb && bytes <= 1.01 * static_cast<double>(kGiB) * gb;
}

}  // namespace

std::optional<double> DensePeaks::flops_per_s(DType dtype) const {
  const auto scaled = [](std::optional<double> tflops) {
    return tflops ? std::optional<double>(*tflops * 1e12) : std::nullopt;
  };
  switch (dtype) {
    case DType::f32:
      return scaled(fp32);
    case DType::bf16:
    case DType::f16:
      return scaled(bf16);
    case DType::f8e4m3:
    case DType::f8e5m2:
      return scaled(fp8);
    default:
      return std::nullopt;
  }
}

std::optional<std::int64_t> MemorySize::bytes() const {
  if (mib > 0) return mib * kMiB;
  if (gb > 0) return static_cast<std::int64_t>(gb * kGB);
  return std::nullopt;
}

bool MemorySize::may_be(std::int64_t reported_mib) const {
  if (mib > 0) {
    const auto known = static_cast<double>(mib);
    return std::abs(static_cast<double>(reported_mib) - known) <= kDriversDiffer * known;
  }
  return gb == 0 || may_be_called(gb, reported_mib);
}

std::string MemorySize::text() const {
  if (mib > 0) return fmt::format("{} MiB", mib);
  return gb > 0 ? fmt::format("{:g} GB", gb) : "unknown";
}

std::string describe(const FoundAccelerator& found) {
  if (!found.is_gpu) return found.name;
  return fmt::format("{}{} with {} MiB", found.whole ? "" : "a part of ", found.name,
                     found.memory_mib);
}

DensePeaks read_dense_peaks(YamlMap& node) {
  DensePeaks result;
  auto peaks = node.optional_map("dense_tflops");
  if (!peaks) return result;
  const auto read = [&](const char* key) {
    return peaks->has(key) ? std::optional<double>(peaks->required_double(
                                 key, {.min = 1e-6, .max = kMostOfAnAccelerator}))
                           : std::nullopt;
  };
  result = {.fp32 = read("fp32"), .bf16 = read("bf16"), .fp8 = read("fp8")};
  peaks->finish();
  return result;
}

MemorySize read_memory_size(YamlMap& node) {
  MemorySize size;
  size.gb = node.optional_double("memory_gb", 0.0, {.min = 0.0, .max = kMostGb});
  size.mib = node.optional_int("memory_mib", 0, {.min = 1, .max = std::int64_t{1} << 30});
  if (size.mib > 0 && size.gb > 0 && !may_be_called(size.gb, size.mib)) {
    node.fail(
        "memory_mib",
        fmt::format("memory_mib: {} MiB are {:.1f} GiB, which is not what is called {:g} GB",
                    size.mib, static_cast<double>(size.mib * kMiB) / static_cast<double>(kGiB),
                    size.gb));
  }
  return size;
}

double read_rate(YamlMap& node, const char* key) {
  return node.optional_double(key, 0.0, {.min = 0.0, .max = kMostOfAnAccelerator});
}

}  // namespace stepmark
