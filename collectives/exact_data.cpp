// SPDX-License-Identifier: Apache-2.0
// Each element hashes (seed, index) to a rotation of the ranks, so that a rank plays another role
// in every element, and draws what the role contributes: few summands on a shared power-of-two
// grid, factors of 2 and 1/2, one extreme. That keeps every partial result exact.
#include "collectives/exact_data.h"

#include <algorithm>
#include <array>

#include "collectives/average.h"
#include "core/error.h"

namespace stepmark {
namespace {

// More contributors would only make verification slower: 4096 draws per element.
constexpr int kMaxContributors = 256;
constexpr std::uint64_t kHalf = std::uint64_t{1} << 32;
constexpr int kScaledRoles = 3;  // ranks that bring a factor of 2 or 1/2 to a product
// Factors of a whole element: powers of two inside the range of every format.
constexpr std::array kUnits{0x1p-4, 0x1p-3, 0x1p-2, 0x1p-1, 1.0, 0x1p1, 0x1p2, 0x1p3, 0x1p4};

// Every integer in [lowest, limit] is exact in the dtype, and below the poison in integer dtypes.
// 64-bit integers stop where doubles are no longer exact.
struct Grid {
  std::int64_t lowest;
  std::int64_t limit;
  bool is_float;
};
constexpr Grid float_grid(int significand) {
  const auto limit = std::int64_t{1} << significand;
  return {-limit, limit, true};
}
constexpr Grid signed_grid(std::int64_t limit) { return {-limit, limit, false}; }
constexpr Grid unsigned_grid(std::int64_t limit) { return {0, limit, false}; }

// In the order of DType. A table: this is looked up once per element.
constexpr std::array<Grid, 12> kGrids{float_grid(24),
                                      float_grid(53),
                                      float_grid(8),
                                      float_grid(11),
                                      float_grid(4),
                                      float_grid(3),
                                      signed_grid(126),
                                      unsigned_grid(126),
                                      signed_grid(std::int64_t{1} << 30),
                                      unsigned_grid(std::int64_t{1} << 30),
                                      signed_grid(std::int64_t{1} << 52),
                                      unsigned_grid(std::int64_t{1} << 52)};

// [0, bound) from the low half of the draw where that suffices (no division), else from all of it.
std::int64_t below(std::uint64_t draw, std::int64_t bound) {
  const auto n = static_cast<std::uint64_t>(bound);
  return static_cast<std::int64_t>(n < kHalf ? ((draw % kHalf) * n) / kHalf : draw % n);
}

// What one element has in common on all ranks.
class Element {
 public:
  Element(const CollectiveSetup& setup, std::size_t index)
      : grid_(kGrids.at(static_cast<std::size_t>(setup.dtype))),
        bits_(mix_bits(mix_bits(setup.seed) ^ static_cast<std::uint64_t>(index))) {}

  // Roles are a rotation of the ranks: role 0 is played by a different rank in each element.
  int role_of(int rank, int ranks) const {
    const int role = rank - static_cast<int>(below(bits_ >> 32, ranks));
    return role < 0 ? role + ranks : role;
  }

  double summand(int role, int ranks) const {
    const int contributors = contributors_of(ranks);
    if (role >= contributors) return 0.0;
    const auto draw = draw_of(role);
    return signed_value(1 + below(draw, grid_.limit / contributors), draw) * unit();
  }
  int contributors_of(int ranks) const {
    const auto most = std::min<std::int64_t>(grid_.limit, kMaxContributors);
    return static_cast<int>(std::min<std::int64_t>(ranks, most));
  }

  double factor(int role) const {
    if (role >= kMaxContributors) return 1.0;
    const auto draw = draw_of(role);
    if (role > kScaledRoles) return signed_value(1, draw);
    if (!grid_.is_float) {
      return signed_value(role == 0 ? 1 + below(draw, grid_.limit >> kScaledRoles) : 2, draw);
    }
    if (role > 0) return signed_value(1, draw) * ((draw & 1) != 0 ? 2.0 : 0.5);
    const auto half = grid_.limit / 2;  // significands in [1/2, 1)
    return signed_value(half + below(draw, half), draw) / static_cast<double>(grid_.limit);
  }

  double least(int role) const { return static_cast<double>(least_integer(role)) * unit(); }
  double greatest(int role) const {  // the mirror image of least
    return static_cast<double>(grid_.limit + grid_.lowest - least_integer(role)) * unit();
  }

  double any_value(int owner) const {
    return static_cast<double>(grid_.lowest +
                               below(draw_of(owner), grid_.limit - grid_.lowest + 1)) *
           unit();
  }

 private:
  std::uint64_t draw_of(int which) const {
    return mix_bits(bits_ + static_cast<std::uint64_t>(which) + 1);
  }
  double signed_value(std::int64_t magnitude, std::uint64_t draw) const {
    const bool negative = grid_.lowest < 0 && (draw >> 63) != 0;
    return static_cast<double>(negative ? -magnitude : magnitude);
  }
  double unit() const { return grid_.is_float ? kUnits[bits_ % kUnits.size()] : 1.0; }
  std::int64_t least_integer(int role) const {
    const std::int64_t extreme = grid_.lowest + below(draw_of(0), grid_.limit - grid_.lowest);
    if (role == 0) return extreme;
    return extreme + 1 + below(draw_of(role), grid_.limit - extreme);
  }

  Grid grid_;
  std::uint64_t bits_;
};

double role_value(const Element& element, ReduceOp op, int role, int ranks) {
  switch (op) {
    case ReduceOp::sum:
    case ReduceOp::avg:
      return element.summand(role, ranks);
    case ReduceOp::prod:
      return element.factor(role);
    case ReduceOp::min:
      return element.least(role);
    case ReduceOp::max:
      return element.greatest(role);
  }
  STEPMARK_CHECK(false, "no data for reduction {}", static_cast<int>(op));
}

}  // namespace

std::uint64_t mix_bits(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

double reduction_input(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  const Element element(setup, index);
  return role_value(element, setup.op, element.role_of(rank, ranks), ranks);
}

double reduction_result(const CollectiveSetup& setup, int ranks, std::size_t index) {
  const Element element(setup, index);
  switch (setup.op) {
    case ReduceOp::sum:
    case ReduceOp::avg: {
      double sum = 0.0;
      for (int role = 0; role < element.contributors_of(ranks); ++role) {
        sum += element.summand(role, ranks);
      }
      return setup.op == ReduceOp::sum ? sum : average_of(sum, ranks, setup.dtype);
    }
    case ReduceOp::prod: {
      double product = 1.0;
      for (int role = 0; role < std::min(ranks, kMaxContributors); ++role) {
        product *= element.factor(role);
      }
      return product;
    }
    case ReduceOp::min:
    case ReduceOp::max:
      return role_value(element, setup.op, 0, ranks);
  }
  STEPMARK_CHECK(false, "no data for reduction {}", static_cast<int>(setup.op));
}

double moved_value(const CollectiveSetup& setup, int owner, std::size_t index) {
  return Element(setup, index).any_value(owner);
}

}  // namespace stepmark
