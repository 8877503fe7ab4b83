// SPDX-License-Identifier: Apache-2.0
// Units: GB = 1e9 bytes, GiB = 2^30 bytes; never mixed. Sizes given by users are binary, as in
// nccl-tests ("32M" = 32 MiB); "32MB", which is read both ways, is refused. Rates are printed in
// decimal units (GB/s, TFLOP/s).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace stepmark {

inline constexpr double kGB = 1e9;
inline constexpr std::int64_t kKiB = 1LL << 10;
inline constexpr std::int64_t kMiB = 1LL << 20;
inline constexpr std::int64_t kGiB = 1LL << 30;

// "0", "8", "4K", "4KiB", "32M", "1.5G" -> bytes (binary). Throws Error(kUsage), also for "4KB",
// naming both readings.
[[nodiscard]] std::int64_t parse_bytes(std::string_view text);
// "90", "90s", "10m", "1.5h", "250ms" -> seconds. Throws Error(kUsage).
[[nodiscard]] double parse_seconds(std::string_view text);
// "1%", "0.01" -> 0.01; at most 1. Throws Error(kUsage), also for a number of 0.1 or more without
// "%", which could mean either ("5": 5 % or 500 %).
[[nodiscard]] double parse_fraction(std::string_view text);

[[nodiscard]] std::string format_bytes(double bytes);  // "4 KiB", "25 MiB"
// Two sizes that are held against each other: in one unit, with digits enough to differ where they
// do.
[[nodiscard]] std::pair<std::string, std::string> format_bytes_alike(double a, double b);
// "4KiB", "1536KiB", "4097B": differs wherever the sizes do, for names. parse_bytes reads it back.
[[nodiscard]] std::string exact_bytes(std::int64_t bytes);
[[nodiscard]] std::string format_seconds(double seconds);  // "1.23 ms", three significant digits
[[nodiscard]] std::string format_rate(double per_second,
                                      std::string_view unit);  // "12.3 GB/s" for unit "B/s"
[[nodiscard]] std::string format_count(double value);          // "124 M", "8.03 G"

}  // namespace stepmark
