// SPDX-License-Identifier: Apache-2.0
#include "collectives/comm.h"

#include <array>
#include <string>
#include <utility>

#include "core/error.h"

namespace stepmark {
namespace {

constexpr std::array<std::pair<ReduceOp, std::string_view>, 5> kNames{{{ReduceOp::sum, "sum"},
                                                                       {ReduceOp::avg, "avg"},
                                                                       {ReduceOp::min, "min"},
                                                                       {ReduceOp::max, "max"},
                                                                       {ReduceOp::prod, "prod"}}};

}  // namespace

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
