// SPDX-License-Identifier: Apache-2.0
// Allocation, filling and comparison. Works in pieces through Device copies, so it needs neither
// host access to device memory nor host copies of large buffers.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "collectives/exact_data.h"
#include "collectives/verify.h"
#include "core/error.h"

namespace stepmark {
namespace {

constexpr std::size_t kPieceElements = std::size_t{1} << 16;

// The collective, once it is known that it has such buffers.
const Collective& checked(const Collective& collective, const CollectiveSetup& setup, int rank,
                          int ranks) {
  STEPMARK_REQUIRE(ranks >= 1 && ranks <= kMaxRanks && rank >= 0 && rank < ranks,
                   "rank {} of {}: verified collectives take 1 to {} ranks", rank, ranks,
                   kMaxRanks);
  STEPMARK_REQUIRE(!setup.in_place || collective.supports_in_place, "{} has no in-place form",
                   name_of(collective.kind));
  STEPMARK_REQUIRE(setup.size_bytes >= 0, "a size of {} bytes", setup.size_bytes);
  return collective;
}

// Of the types whose generated data get near it.
double subnormal_step(DType dtype) {
  switch (dtype) {
    case DType::f8e4m3:
      return 0x1p-9;
    case DType::f8e5m2:
      return 0x1p-16;
    case DType::f16:
      return 0x1p-24;
    default:
      return 0.0;
  }
}

}  // namespace

// In place both buffers are one: the smaller is this rank's chunk of the larger.
CollectiveBytes buffer_bytes(const Collective& collective, const CollectiveSetup& setup,
                             int ranks) {
  const CollectiveSizes sizes = collective.sizes(setup, ranks);
  const std::size_t width = size_of(setup.dtype);
  if (setup.in_place) return {.recv = width * std::max(sizes.send_count, sizes.recv_count)};
  return {.send = width * sizes.send_count, .recv = width * sizes.recv_count};
}

InPlaceOffsets in_place_offsets(const CollectiveSizes& sizes, int rank) {
  const auto index = static_cast<std::size_t>(rank);
  return {.send = sizes.send_count < sizes.recv_count ? index * sizes.send_count : 0,
          .recv = sizes.recv_count < sizes.send_count ? index * sizes.recv_count : 0};
}

CollectiveBuffers::CollectiveBuffers(Device& device, const Collective& collective,
                                     const CollectiveSetup& setup, int rank, int ranks,
                                     GuardedMemory recv, GuardedMemory send)
    : device_(&device),
      collective_(&collective),
      setup_(setup),
      rank_(rank),
      ranks_(ranks),
      sizes_(collective.sizes(setup, ranks)),
      width_(size_of(setup.dtype)),
      recv_(std::move(recv)),
      send_(std::move(send)) {}

// Braces: checked before anything is allocated.
CollectiveBuffers::CollectiveBuffers(Device& device, const Collective& collective,
                                     const CollectiveSetup& setup, int rank, int ranks)
    : CollectiveBuffers{device,
                        checked(collective, setup, rank, ranks),
                        setup,
                        rank,
                        ranks,
                        GuardedMemory(device, buffer_bytes(collective, setup, ranks).recv),
                        GuardedMemory(device, buffer_bytes(collective, setup, ranks).send)} {}

CollectiveBuffers::CollectiveBuffers(Device& device, const Collective& collective,
                                     const CollectiveSetup& setup, int rank, int ranks,
                                     const CollectiveZones& zones)
    : CollectiveBuffers{
          device,
          checked(collective, setup, rank, ranks),
          setup,
          rank,
          ranks,
          GuardedMemory(device, buffer_bytes(collective, setup, ranks).recv, zones.recv),
          GuardedMemory(device, buffer_bytes(collective, setup, ranks).send, zones.send)} {}

std::byte* CollectiveBuffers::send() const {
  if (!setup_.in_place) return send_.data();
  return recv_.data() + in_place_offsets(sizes_, rank_).send * width_;
}

std::byte* CollectiveBuffers::recv() const {
  if (!setup_.in_place) return recv_.data();
  return recv_.data() + in_place_offsets(sizes_, rank_).recv * width_;
}

bool CollectiveBuffers::repeatable() const { return !(collective_->reduces && setup_.in_place); }

template <class Value, class Visit>
void CollectiveBuffers::for_each_piece(std::size_t count, Value value, Visit visit) const {
  std::vector<std::byte> bytes(std::min(count, kPieceElements) * width_);
  for (std::size_t first = 0; first < count; first += kPieceElements) {
    const std::size_t n = std::min(kPieceElements, count - first);
    for (std::size_t i = 0; i < n; ++i) {
      store_from_double(bytes.data(), setup_.dtype, i, value(first + i));
    }
    visit(first, bytes.data(), n);
  }
}

void CollectiveBuffers::fill() {
  const std::vector<std::byte> poison(std::min(recv_.bytes(), kPieceElements),
                                      static_cast<std::byte>(kPoisonByte));
  for (std::size_t first = 0; first < recv_.bytes(); first += poison.size()) {
    device_->copy_to_device(recv_.data() + first, poison.data(),
                            std::min(poison.size(), recv_.bytes() - first));
  }
  for_each_piece(
      sizes_.send_count,
      [&](std::size_t i) { return collective_->input(setup_, ranks_, rank_, i); },
      [&](std::size_t first, const std::byte* bytes, std::size_t n) {
        device_->copy_to_device(send() + first * width_, bytes, n * width_);
      });
  recv_.write_guards();
  send_.write_guards();
}

void CollectiveBuffers::submit(Comm& comm, Stream& stream) {
  made_by(comm);
  issue(collective_->shape(setup_, ranks_, rank_), comm, send(), recv(), stream);
}

void CollectiveBuffers::check_received(Verification& result) const {
  std::vector<std::byte> got(std::min(sizes_.recv_count, kPieceElements) * width_);
  std::vector<bool> untouched(got.size() / width_);  // elements that the verb must leave alone
  const auto value = [&](std::size_t i) {
    const double expected = collective_->expected(setup_, ranks_, rank_, i);
    untouched[i % kPieceElements] = std::isnan(expected);
    // In place, what is left alone is this rank's own input.
    if (std::isnan(expected) && setup_.in_place)
      return collective_->input(setup_, ranks_, rank_, i);
    return expected;
  };
  const std::vector<std::byte> poison(width_, static_cast<std::byte>(kPoisonByte));
  const auto compare = [&](std::size_t first, const std::byte* expected, std::size_t n) {
    device_->copy_to_host(got.data(), recv() + first * width_, n * width_);
    for (std::size_t i = 0; i < n; ++i) {
      const bool poisoned = untouched[i] && !setup_.in_place;
      const std::byte* want = poisoned ? poison.data() : expected + i * width_;
      if (std::memcmp(want, got.data() + i * width_, width_) == 0) continue;
      if (!untouched[i] && close_enough(first + i, load_as_double(got.data(), setup_.dtype, i))) {
        continue;
      }
      if (result.wrong++ > 0) continue;
      result.first_bad = static_cast<std::int64_t>(first + i);
      result.expected = collective_->expected(setup_, ranks_, rank_, first + i);
      result.got = load_as_double(got.data(), setup_.dtype, i);
      const bool unwritten = std::memcmp(poison.data(), got.data() + i * width_, width_) == 0;
      result.cause = unwritten ? "never written" : cause_of(first + i, result.got);
    }
  };
  for_each_piece(sizes_.recv_count, value, compare);
  result.checked = static_cast<std::int64_t>(sizes_.recv_count);
}

void CollectiveBuffers::check_send(Verification& result) const {
  if (setup_.in_place) return;
  std::vector<std::byte> got(std::min(sizes_.send_count, kPieceElements) * width_);
  for_each_piece(
      sizes_.send_count,
      [&](std::size_t i) { return collective_->input(setup_, ranks_, rank_, i); },
      [&](std::size_t first, const std::byte* expected, std::size_t n) {
        device_->copy_to_host(got.data(), send() + first * width_, n * width_);
        const auto [mine, theirs] = std::mismatch(got.begin(), got.begin() + n * width_, expected);
        if (theirs == expected + n * width_ || !result.send_intact) return;
        result.send_intact = false;
        const auto byte = static_cast<std::size_t>(mine - got.begin());
        result.damage = fmt::format("send buffer changed at element {}", first + byte / width_);
      });
}

Verification CollectiveBuffers::verify() const {
  Verification result;
  result.moves_data = collective_->kind != CollectiveKind::barrier;
  check_received(result);
  check_send(result);
  for (const auto& [memory, name] : {std::pair{&recv_, "receive"}, std::pair{&send_, "send"}}) {
    const std::string where = memory->find_guard_damage();
    if (where.empty()) continue;
    result.guards_intact = false;
    result.damage = fmt::format("guard of the {} buffer overwritten at {}", name, where);
  }
  return result;
}

std::size_t CollectiveBuffers::input_index(std::size_t index) const {
  const bool scattered = sizes_.recv_count < sizes_.send_count;
  return index + (scattered ? static_cast<std::size_t>(rank_) * sizes_.recv_count : 0);
}

// Each of k inputs x is multiplied by a rounded 1/n, and the product rounded: 2 u |x| / n; each of
// the k - 1 sums is rounded: u (sum of |x| / n); so is the expected value: u |result|. u is half a
// unit in the last place; where products get subnormal a step of those takes its place.
bool CollectiveBuffers::close_enough(std::size_t index, double got) const {
  const bool rounds = collective_->reduces && setup_.op == ReduceOp::avg &&
                      is_float(setup_.dtype) && !averages_once_ &&
                      !std::has_single_bit(static_cast<unsigned>(ranks_));
  if (!rounds) return false;
  double magnitude = 0.0;
  int contributors = 0;
  for (int rank = 0; rank < ranks_; ++rank) {
    const double part = collective_->input(setup_, ranks_, rank, input_index(index));
    magnitude += std::abs(part) / ranks_;
    contributors += part != 0.0 ? 1 : 0;
  }
  const double u = std::ldexp(1.0, -significand_bits(setup_.dtype));
  const double expected = collective_->expected(setup_, ranks_, rank_, index);
  const double tolerance = u * ((contributors + 1) * magnitude + std::abs(expected)) +
                           (contributors + 1) * subnormal_step(setup_.dtype);
  return std::abs(got - expected) <= tolerance;
}

std::string CollectiveBuffers::cause_of(std::size_t index, double got) const {
  const int origin = collective_->origin(setup_, ranks_, rank_, index);
  if (origin >= 0 && origin < ranks_) return fmt::format("data of rank {}", origin);
  // A sum may show whose contribution is off. Exact: so is every sum of contributions.
  if (collective_->reduces && setup_.op == ReduceOp::sum) {
    const double expected = collective_->expected(setup_, ranks_, rank_, index);
    const std::size_t at = input_index(index);
    for (int rank = 0; rank < ranks_; ++rank) {
      const double part = collective_->input(setup_, ranks_, rank, at);
      if (part == 0.0) continue;
      if (got == expected - part) return fmt::format("lacks the contribution of rank {}", rank);
      if (got == expected + part) return fmt::format("has rank {}'s contribution twice", rank);
    }
  }
  return {};
}

}  // namespace stepmark
