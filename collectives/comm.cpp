// SPDX-License-Identifier: Apache-2.0
// Names of verbs and reductions, with the nearest valid one in the error for a wrong name. A verb's
// bus factor is that of the collective of its name, which alone has the formula.
#include "collectives/comm.h"

#include <array>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/yaml.h"

namespace stepmark {
namespace {

constexpr std::array<std::pair<ReduceOp, std::string_view>, 5> kNames{{{ReduceOp::sum, "sum"},
                                                                       {ReduceOp::avg, "avg"},
                                                                       {ReduceOp::min, "min"},
                                                                       {ReduceOp::max, "max"},
                                                                       {ReduceOp::prod, "prod"}}};

constexpr std::array<std::pair<Verb, std::string_view>, 11> kVerbs{
    {{Verb::all_reduce, "all_reduce"},
     {Verb::all_gather, "all_gather"},
     {Verb::reduce_scatter, "reduce_scatter"},
     {Verb::all_to_all, "all_to_all"},
     {Verb::all_to_all_v, "all_to_all_v"},
     {Verb::broadcast, "broadcast"},
     {Verb::reduce, "reduce"},
     {Verb::gather, "gather"},
     {Verb::scatter, "scatter"},
     {Verb::send_recv, "send_recv"},
     {Verb::barrier, "barrier"}}};

constexpr auto kVerbList = [] {
  std::array<Verb, kVerbs.size()> verbs{};
  for (std::size_t i = 0; i < verbs.size(); ++i) verbs[i] = kVerbs[i].first;
  return verbs;
}();

}  // namespace

std::string_view name_of(Verb verb) {
  for (const auto& [value, name] : kVerbs) {
    if (value == verb) return name;
  }
  STEPMARK_CHECK(false, "no name for verb {}", static_cast<int>(verb));
}

Verb verb_from(std::string_view name) {
  std::vector<std::string> valid;
  for (const auto& [value, known] : kVerbs) {
    if (known == name) return value;
    valid.emplace_back(known);
  }
  throw Error(ExitCode::kUsage,
              fmt::format("unknown verb '{}'{}", name, nearest_hint(name, valid)));
}

std::span<const Verb> all_verbs() { return kVerbList; }

bool is_rooted(Verb verb) {
  return verb == Verb::broadcast || verb == Verb::reduce || verb == Verb::gather ||
         verb == Verb::scatter;
}

double bus_factor(Verb verb, int ranks) {
  return bus_factor(collective_from(name_of(verb)), ranks);
}

std::unique_ptr<Comm> Comm::alone() const { return make_self_comm(); }

std::string_view name_of(ReduceOp op) {
  for (const auto& [value, name] : kNames) {
    if (value == op) return name;
  }
  STEPMARK_CHECK(false, "no name for reduction {}", static_cast<int>(op));
}

ReduceOp reduce_op_from(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  throw Error(ExitCode::kUsage,
              fmt::format("unknown reduction '{}': expected sum, avg, min, max or prod", name));
}

}  // namespace stepmark
