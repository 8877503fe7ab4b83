// SPDX-License-Identifier: Apache-2.0
#include "core/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/error.h"

namespace stepmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ParseBytes, IsBinary) {
  EXPECT_EQ(parse_bytes("0"), 0);
  EXPECT_EQ(parse_bytes("8"), 8);
  EXPECT_EQ(parse_bytes("4K"), 4096);
  EXPECT_EQ(parse_bytes("4KiB"), 4096);
  EXPECT_EQ(parse_bytes("32m"), 32 * kMiB);
  EXPECT_EQ(parse_bytes("1.5G"), 3 * kGiB / 2);
}

std::string refusal(const std::function<void()>& parse) {
  try {
    parse();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return "accepted";
}

TEST(ParseBytes, RefusesWhatCouldBeDecimal) {
  const auto refused = [](const char* text) {
    return refusal([&] { static_cast<void>(parse_bytes(text)); });
  };
  EXPECT_EQ(
      refused("1GB"),
      "'1GB' could be 1000000000 or 1073741824 bytes: write 1GiB for the larger, or the bytes");
  EXPECT_THAT(refused("4kb"), AllOf(HasSubstr("4000 or 4096"), HasSubstr("4KiB")));
  EXPECT_THAT(refused("1.5MB"), HasSubstr("1500000 or 1572864"));
  EXPECT_THAT(refused("2Tb"), HasSubstr("2TiB"));
  EXPECT_EQ(refused("16B"), "accepted");
  EXPECT_THAT(refused("KB"), HasSubstr("not a size"));
  EXPECT_THAT(refused("xMB"), HasSubstr("'xMB' is not a size"));
}

TEST(FormatBytesAlike, OneUnitAndEnoughDigits) {
  const auto both = [](double a, double b) {
    const auto [first, second] = format_bytes_alike(a, b);
    return first + " | " + second;
  };
  EXPECT_EQ(both(76.7 * kGiB, 81559.0 * kMiB), "76.7 GiB | 79.6 GiB");
  EXPECT_EQ(both(900.0 * kMiB, 2.0 * kGiB), "0.9 GiB | 2.0 GiB");
  EXPECT_EQ(both(79.64 * kGiB, 79.6475 * kGiB), "79.64 GiB | 79.65 GiB");
  EXPECT_EQ(both(512, 512), "512 B | 512 B");
}

TEST(ExactBytes, ReadsBack) {
  EXPECT_EQ(exact_bytes(4096), "4KiB");
  EXPECT_EQ(exact_bytes(4097), "4097B");
  for (const std::int64_t bytes : {std::int64_t{1}, 3 * kKiB / 2, 1536 * kKiB, 5 * kGiB}) {
    EXPECT_EQ(parse_bytes(exact_bytes(bytes)), bytes);
  }
}

TEST(ParseSeconds, KnowsItsUnits) {
  EXPECT_DOUBLE_EQ(parse_seconds("90"), 90);
  EXPECT_DOUBLE_EQ(parse_seconds("90s"), 90);
  EXPECT_DOUBLE_EQ(parse_seconds("10m"), 600);
  EXPECT_DOUBLE_EQ(parse_seconds("1.5h"), 5400);
  EXPECT_DOUBLE_EQ(parse_seconds("250ms"), 0.25);
}

TEST(ParseFraction, TakesPercent) {
  EXPECT_DOUBLE_EQ(parse_fraction("1%"), 0.01);
  EXPECT_DOUBLE_EQ(parse_fraction("0.01"), 0.01);
}

TEST(ParseFraction, RefusesWhatCouldBePercent) {
  const auto refused = [](const char* text) {
    return refusal([&] { static_cast<void>(parse_fraction(text)); });
  };
  EXPECT_EQ(refused("5"), "'5' could be 5 % or 500 %: write 5% or 0.05");
  EXPECT_EQ(refused("1"), "'1' could be 1 % or 100 %: write 1% or 100%");
  EXPECT_EQ(refused("0.5"), "'0.5' could be 0.5 % or 50 %: write 0.5% or 50%");
  EXPECT_EQ(refused("0.09"), "accepted");
  EXPECT_EQ(refused("20%"), "accepted");
  EXPECT_EQ(refused("100%"), "accepted");
  EXPECT_THAT(refused("500%"), HasSubstr("at most 100%"));
}

TEST(Parse, RefusesEverythingElse) {
  for (const char* text :
       {"", "K", "-1", "1X", "1 K", "nan", "inf", "1e400", "0x10", "1.5", "9E18G"}) {
    EXPECT_THROW(static_cast<void>(parse_bytes(text)), Error) << text;
  }
  for (const char* text : {"", "s", "-1s", "1w", "nan", "1e305d"}) {
    EXPECT_THROW(static_cast<void>(parse_seconds(text)), Error) << text;
  }
  for (const char* text : {"", "%", "-1%", "1%%"}) {
    EXPECT_THROW(static_cast<void>(parse_fraction(text)), Error) << text;
  }
}

TEST(Format, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(8), "8 B");
  EXPECT_EQ(format_bytes(4096), "4 KiB");
  EXPECT_EQ(format_bytes(25.0 * kMiB), "25 MiB");
  EXPECT_EQ(format_bytes(1.5 * kGiB), "1.50 GiB");
  EXPECT_EQ(format_bytes(1024.0 * kMiB - 1), "1.00 GiB");
}

TEST(Format, SecondsWithThreeDigits) {
  EXPECT_EQ(format_seconds(0.00123), "1.23 ms");
  EXPECT_EQ(format_seconds(0.0999), "99.9 ms");
  EXPECT_EQ(format_seconds(0.9996), "1.00 s");
  EXPECT_EQ(format_seconds(99.96), "100 s");
  EXPECT_EQ(format_seconds(4.5e-8), "45.0 ns");
  EXPECT_EQ(format_seconds(std::nan("")), "N/A");
  EXPECT_EQ(format_seconds(1e300), "1.00e+300 s");
  EXPECT_EQ(format_bytes(0x1p90), "1.10e+12 PiB");
}

TEST(Format, RatesAndCounts) {
  EXPECT_EQ(format_rate(12.3e9, "B/s"), "12.3 GB/s");
  EXPECT_EQ(format_rate(235e9, "FLOP/s"), "235 GFLOP/s");
  EXPECT_EQ(format_rate(999.9e9, "B/s"), "1.00 TB/s");
  EXPECT_EQ(format_rate(0, "B/s"), "0.00 B/s");
  EXPECT_EQ(format_count(124e6), "124 M");
  EXPECT_EQ(format_count(8.03e9), "8.03 G");
  EXPECT_EQ(format_count(12), "12");
}

}  // namespace
}  // namespace stepmark
