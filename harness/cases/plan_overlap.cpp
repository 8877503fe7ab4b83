// SPDX-License-Identifier: Apache-2.0
// Each rank offers its own; stages of a pipeline have other GEMMs, and not all talk in a group.
#include "harness/cases/plan_overlap.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "harness/cases/agree.h"
#include "harness/program/group_calls.h"
#include "kernels/ops/gemm.h"

namespace stepmark {
namespace {

using nlohmann::json;

Offer largest_gemm(const Program& program) {
  Offer offer;
  for (const Op& op : program.ops) {
    if (!op.kernel || op.kernel->id != OpId::gemm || flops_of(*op.kernel) <= offer.weight) continue;
    auto gemm = unpack<GemmShape>(*op.kernel);
    gemm.accumulate = 0;
    offer = {.weight = flops_of(*op.kernel), .text = to_text(pack(gemm, op.kernel->dtype))};
  }
  return offer;
}

// An exchange by counts that differ from rank to rank becomes one of as many bytes whose are equal.
CommShape evened(CommShape shape, std::int64_t ranks) {
  if (shape.verb != Verb::all_to_all_v) return shape;
  const auto total = [](const std::vector<std::int64_t>& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  };
  shape.verb = Verb::all_to_all;
  shape.count = std::max(total(shape.send_counts), total(shape.recv_counts)) / ranks;
  return shape;
}

std::string to_json(const CommShape& shape, std::int64_t ranks) {
  return json{{"verb", name_of(shape.verb)},
              {"dtype", name_of(shape.dtype)},
              {"op", name_of(shape.op)},
              {"count", shape.count},
              {"ranks", ranks}}
      .dump();
}

Offer busiest_call(const Program& program, const std::string& name) {
  const std::vector<GroupCalls> groups = calls_by_group(program);
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const GroupCalls& calls) {
    return calls.group.axis == name;
  });
  STEPMARK_CHECK(found != groups.end(), "{} has no group '{}'", program.name, name);
  const std::int64_t ranks = std::ssize(found->group.ranks);
  std::vector<Offer> offers;
  for (const GroupCalls::Call& call : found->calls) {
    const CommShape& shape = found->distinct[call.distinct];
    const std::string text = to_json(evened(shape, ranks), ranks);
    auto same = std::find_if(offers.begin(), offers.end(),
                             [&](const Offer& offer) { return offer.text == text; });
    if (same == offers.end()) same = offers.insert(offers.end(), Offer{.weight = 0, .text = text});
    same->weight += bus_bytes(shape, found->group);
  }
  Offer most;
  for (const Offer& offer : offers) {
    if (offer.weight > most.weight) most = offer;
  }
  return most;
}

}  // namespace

PlanSides sides_of_plan(Control& control, const Program& unfused, const std::string& group) {
  const std::vector<Offer> agreed =
      greatest_offers(control, {largest_gemm(unfused), busiest_call(unfused, group)});
  STEPMARK_CHECK(!agreed[0].text.empty(), "a step without a GEMM");
  PlanSides sides{.gemm = op_shape_from_text(agreed[0].text), .comm = std::nullopt};
  if (agreed[1].text.empty()) return sides;
  const json call = json::parse(agreed[1].text);
  sides.comm = CommShape{.verb = verb_from(call.at("verb").get<std::string>()),
                         .axis = group,
                         .dtype = dtype_from(call.at("dtype").get<std::string>()),
                         .op = reduce_op_from(call.at("op").get<std::string>()),
                         .count = call.at("count").get<std::int64_t>()};
  sides.group_ranks = call.at("ranks").get<int>();
  return sides;
}

}  // namespace stepmark
