// SPDX-License-Identifier: Apache-2.0
// Calls of a program become collectives of the same verb and counts, messages become kMessage and
// exchanges of rows kExchange.
// Which groups there are anything in, and what a record says of them, ranks agree on: stages of a
// pipeline have other programs, and rank 0 need not have a part in a group.
#include "harness/cases/plan_traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "collectives/exact_data.h"
#include "collectives/message.h"
#include "core/error.h"
#include "harness/cases/agree.h"
#include "harness/program/text.h"

namespace stepmark {
namespace {

using nlohmann::json;

// FNV-1a: the same on every rank and machine.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  return hash;
}

// All ranks of a group draw alike; peers and counts, which differ from rank to rank, are told apart
// by kMessage and kExchange.
std::uint64_t seed_of(CommShape shape, const Group& group, std::uint64_t seed) {
  shape.send_peer = shape.recv_peer = -1;
  shape.send_counts.clear();
  shape.recv_counts.clear();
  return mix_bits(seed ^ hash_of(fmt::format("{} of {}", to_text(shape), group.ranks.front())));
}

std::string ops_text(const GroupCalls& of) {
  std::vector<std::string> order;
  std::map<std::string, int> count;
  for (const GroupCalls::Call& call : of.calls) {
    const CommShape& shape = of.distinct[call.distinct];
    std::string op = fmt::format("{} {}", name_of(shape.verb), name_of(shape.dtype));
    if (count[op]++ == 0) order.push_back(std::move(op));
  }
  std::string text;
  for (const std::string& op : order) {
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", op, count[op]);
  }
  return text;
}

// Of this rank.
GroupTraffic traffic_in(const GroupCalls& of) {
  GroupTraffic traffic{.group = of.group.axis,
                       .ops = ops_text(of),
                       .ranks = std::ssize(of.group.ranks),
                       .calls = std::ssize(of.calls)};
  for (const GroupCalls::Call& call : of.calls) {
    traffic.size_bytes += size_bytes(of.distinct[call.distinct], of.group);
    traffic.bus_bytes += bus_bytes(of.distinct[call.distinct], of.group);
  }
  return traffic;
}

std::string to_json(const GroupTraffic& traffic) {
  return json{{"ops", traffic.ops},
              {"ranks", traffic.ranks},
              {"calls", traffic.calls},
              {"size_bytes", traffic.size_bytes},
              {"bus_bytes", traffic.bus_bytes}}
      .dump();
}

GroupTraffic from_json(std::string group, const std::string& text) {
  const json of = json::parse(text);
  return {.group = std::move(group),
          .ops = of.at("ops").get<std::string>(),
          .ranks = of.at("ranks").get<std::int64_t>(),
          .calls = of.at("calls").get<std::int64_t>(),
          .size_bytes = of.at("size_bytes").get<double>(),
          .bus_bytes = of.at("bus_bytes").get<double>()};
}

// This rank's, and the first call that has no check.
GroupLane lane_of(const GroupCalls& of, std::uint64_t seed, std::string& problem) {
  GroupLane lane{.group = of.group, .traffic = {}, .calls = {}};
  for (const CommShape& shape : of.distinct) {
    if (auto traffic = traffic_of(shape, of.group, seed)) {
      lane.traffic.push_back(std::move(*traffic));
      continue;
    }
    problem =
        fmt::format("{}: no check of its elements for {}", of.group.axis, name_of(shape.verb));
    return lane;
  }
  for (const GroupCalls::Call& call : of.calls) {
    lane.calls.push_back({.traffic = call.distinct, .at = call.at});
  }
  return lane;
}

}  // namespace

std::optional<std::int64_t> checked_size(const CommShape& shape, int ranks) {
  const std::int64_t bytes = shape.count * static_cast<std::int64_t>(size_of(shape.dtype));
  switch (shape.verb) {
    case Verb::all_reduce:
    case Verb::broadcast:
    case Verb::reduce:
    case Verb::send_recv:
      return bytes;
    case Verb::all_gather:
    case Verb::reduce_scatter:
    case Verb::all_to_all:
    case Verb::gather:
    case Verb::scatter:
      return bytes * ranks;
    case Verb::all_to_all_v: {
      std::int64_t sent = 0, received = 0;
      for (const std::int64_t count : shape.send_counts) sent += count;
      for (const std::int64_t count : shape.recv_counts) received += count;
      return std::max(sent, received) * static_cast<std::int64_t>(size_of(shape.dtype));
    }
    case Verb::barrier:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Traffic> traffic_of(const CommShape& shape, const Group& group, std::uint64_t seed) {
  const auto size = checked_size(shape, static_cast<int>(group.ranks.size()));
  if (!size) return std::nullopt;
  const CollectiveSetup setup{.size_bytes = *size,
                              .dtype = shape.dtype,
                              .op = shape.op,
                              .root = shape.root,
                              .seed = seed_of(shape, group, seed),
                              .send_peer = shape.send_peer,
                              .recv_peer = shape.recv_peer,
                              .send_counts = shape.send_counts,
                              .recv_counts = shape.recv_counts};
  const Collective& checked = shape.verb == Verb::send_recv ? kMessage
                              : shape.verb == Verb::all_to_all_v
                                  ? kExchange
                                  : collective(collective_from(name_of(shape.verb)));
  Traffic traffic = make_traffic(group, checked, setup);
  STEPMARK_CHECK(traffic.shape == shape, "{} became {}", to_text(shape), to_text(traffic.shape));
  return traffic;
}

PlanTraffic traffic_of_plan(Control& control, const Program& program, std::uint64_t seed) {
  PlanTraffic plan;
  const std::vector<GroupCalls> groups = calls_by_group(program);
  std::vector<GroupLane> lanes;
  std::vector<Offer> offers;
  std::string problem;
  for (const GroupCalls& group : groups) {
    lanes.push_back(lane_of(group, seed, problem));
    const GroupTraffic traffic = traffic_in(group);
    offers.push_back({.weight = traffic.bus_bytes, .text = to_json(traffic)});
  }
  offers.push_back({.weight = problem.empty() ? 0.0 : 1.0, .text = problem});
  const std::vector<Offer> agreed = greatest_offers(control, offers);
  plan.problem = agreed.back().text;
  if (!plan.problem.empty()) return plan;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    GroupTraffic traffic = from_json(groups[i].group.axis, agreed[i].text);
    if (traffic.calls == 0) continue;
    plan.lanes.push_back(std::move(lanes[i]));
    plan.groups.push_back(std::move(traffic));
  }
  return plan;
}

}  // namespace stepmark
