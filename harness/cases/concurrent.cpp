// SPDX-License-Identifier: Apache-2.0
#include "harness/cases/concurrent.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "collectives/exact_data.h"
#include "core/error.h"
#include "core/stats.h"
#include "harness/cases/common.h"

namespace stepmark {
namespace {

constexpr std::size_t kPieceElements = std::size_t{1} << 16;
constexpr int kTrials = 5;

// Calls visit(first, bytes, count) for elements [0, count) in pieces.
template <class Value, class Visit>
void for_each_piece(DType dtype, std::int64_t elements, Value value, Visit visit) {
  const auto count = static_cast<std::size_t>(elements);
  std::vector<std::byte> bytes(std::min(count, kPieceElements) * size_of(dtype));
  for (std::size_t first = 0; first < count; first += kPieceElements) {
    const std::size_t n = std::min(kPieceElements, count - first);
    for (std::size_t i = 0; i < n; ++i) {
      store_from_double(bytes.data(), dtype, i, value(first + i));
    }
    visit(first, bytes.data(), n);
  }
}

}  // namespace

Traffic make_traffic(Group group, CollectiveKind kind, DType dtype, std::int64_t bytes,
                     std::uint64_t seed) {
  Traffic traffic{.group = std::move(group),
                  .collective = &collective(kind),
                  .setup = {.size_bytes = bytes, .dtype = dtype, .seed = seed}};
  const auto ranks = static_cast<int>(traffic.group.ranks.size());
  traffic.sizes = traffic.collective->sizes(traffic.setup, ranks);
  traffic.shape = traffic.collective->shape(traffic.setup, ranks, traffic.group.index);
  traffic.shape.axis = traffic.group.axis;
  traffic.access = comm_access(traffic.shape, traffic.group);
  STEPMARK_REQUIRE(traffic.sizes.verb_count > 0, "{} of {} bytes over {} ranks moves nothing",
                   name_of(kind), bytes, ranks);
  return traffic;
}

void fill(Device& device, const Traffic& traffic, void* send, void* recv) {
  const DType dtype = traffic.setup.dtype;
  const std::size_t width = size_of(dtype);
  const auto ranks = static_cast<int>(traffic.group.ranks.size());
  for_each_piece(
      dtype, traffic.access.send,
      [&](std::size_t i) {
        return traffic.collective->input(traffic.setup, ranks, traffic.group.index, i);
      },
      [&](std::size_t first, const std::byte* bytes, std::size_t n) {
        device.copy_to_device(static_cast<std::byte*>(send) + first * width, bytes, n * width);
      });
  const auto received = static_cast<std::size_t>(traffic.access.recv) * width;
  const std::vector<std::byte> poison(std::min(received, kPieceElements),
                                      static_cast<std::byte>(kPoisonByte));
  for (std::size_t at = 0; at < received; at += poison.size()) {
    device.copy_to_device(static_cast<std::byte*>(recv) + at, poison.data(),
                          std::min(poison.size(), received - at));
  }
}

Verification verify(Device& device, const Traffic& traffic, const void* send, const void* recv) {
  const DType dtype = traffic.setup.dtype;
  const std::size_t width = size_of(dtype);
  const auto ranks = static_cast<int>(traffic.group.ranks.size());
  Verification result;
  std::vector<std::byte> got(kPieceElements * width);
  for_each_piece(
      dtype, traffic.access.recv,
      [&](std::size_t i) {
        return traffic.collective->expected(traffic.setup, ranks, traffic.group.index, i);
      },
      [&](std::size_t first, const std::byte* expected, std::size_t n) {
        device.copy_to_host(got.data(), static_cast<const std::byte*>(recv) + first * width,
                            n * width);
        for (std::size_t i = 0; i < n; ++i) {
          if (std::memcmp(expected + i * width, got.data() + i * width, width) == 0) continue;
          if (result.wrong++ > 0) continue;
          result.first_bad = static_cast<std::int64_t>(first + i);
          result.expected = load_as_double(expected, dtype, i);
          result.got = load_as_double(got.data(), dtype, i);
        }
      });
  result.checked = traffic.access.recv;
  for_each_piece(
      dtype, traffic.access.send,
      [&](std::size_t i) {
        return traffic.collective->input(traffic.setup, ranks, traffic.group.index, i);
      },
      [&](std::size_t first, const std::byte* expected, std::size_t n) {
        device.copy_to_host(got.data(), static_cast<const std::byte*>(send) + first * width,
                            n * width);
        if (!result.send_intact || std::memcmp(got.data(), expected, n * width) == 0) return;
        result.send_intact = false;
        result.damage = fmt::format("send buffer changed behind element {}", first);
      });
  return result;
}

void interleave(ProgramBuilder& builder, const std::vector<Lane>& lanes) {
  std::vector<std::int64_t> issued(lanes.size(), 0);
  for (;;) {
    std::size_t next = lanes.size();
    double earliest = 1.0;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      const double progress =
          (static_cast<double>(issued[i]) + 0.5) / static_cast<double>(lanes[i].calls);
      if (progress < earliest) {
        earliest = progress;
        next = i;
      }
    }
    if (next == lanes.size()) return;
    lanes[next].add(builder);
    ++issued[next];
  }
}

double extent_s(const Program& program, const Timeline& timeline, std::string_view stream) {
  std::int64_t begin = std::numeric_limits<std::int64_t>::max();
  std::int64_t end = std::numeric_limits<std::int64_t>::min();
  for (const Span& span : timeline.spans) {
    const Op& op = program.ops[static_cast<std::size_t>(span.op)];
    if (!stream.empty() && program.streams[static_cast<std::size_t>(op.stream)] != stream) continue;
    begin = std::min(begin, span.begin_ns);
    end = std::max(end, span.end_ns);
  }
  return begin > end ? 0.0 : static_cast<double>(end - begin) * 1e-9;
}

std::int64_t decided_count(Control& control, double wanted, std::int64_t most) {
  const double exponent = std::round(std::log2(std::max(1.0, wanted)));
  const double own = std::min(std::exp2(exponent), static_cast<double>(most));
  return static_cast<std::int64_t>(value_of_root(control, own));
}

double typical_seconds(Control& control, Runnable& runnable) {
  std::vector<double> times;
  for (int i = 0; i < kTrials + 1; ++i) {
    control.barrier();
    runnable.run_traced();
    if (i > 0) times.push_back(extent_s(runnable.program(), runnable.timeline()));
  }
  return std::max(1e-9, max_over_ranks(control, median(times)));
}

}  // namespace stepmark
