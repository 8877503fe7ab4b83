// SPDX-License-Identifier: Apache-2.0
#include "results/compare/case_compare.h"

#include <fmt/format.h>

#include <array>

#include "core/number_text.h"

namespace stepmark {

std::string why_not_comparable(const Record& a, const Record& b) {
  if (a.provenance != b.provenance) {
    return fmt::format("provenance {} and {}", name_of(a.provenance), name_of(b.provenance));
  }
  for (const auto* record : {&a, &b}) {
    const auto* side = record == &a ? "baseline" : "candidate";
    if (record->outcome != Outcome::ok) {
      return fmt::format("{}: {}: {}", side, name_of(record->outcome), record->reason);
    }
    if (!record->perf_valid) {
      return fmt::format("{}: {}", side, not_performance(*record));
    }
    for (const auto& check : record->checks) {
      if (!check.passed) {
        return fmt::format("{}: check failed: {}: {}", side, check.name, check.detail);
      }
    }
  }
  if (a.family != b.family) {
    return fmt::format("family {} and {}", a.family, b.family);
  }
  // Facts that say what was done, as opposed to how fast the machine is.
  constexpr std::array kNumbers = {"size_bytes",
                                   "ranks",
                                   "flops",
                                   "bytes",
                                   "tokens_per_step",
                                   "gpus",
                                   "model_flops_per_step",
                                   "hardware_flops_per_step",
                                   "tp_size_bytes",
                                   "dp_size_bytes",
                                   "tp_calls",
                                   "dp_calls",
                                   "gemm_calls",
                                   "comm_calls",
                                   "occupy_s"};
  constexpr std::array kTexts = {"collective", "dtype",    "op",   "placement",
                                 "shape",      "workload", "plan", "axes",
                                 "priority",   "gemm",     "mode", "topology"};
  for (const auto* name : kNumbers) {
    const bool both_undefined =
        std::isnan(a.number(name).value_or(0)) && std::isnan(b.number(name).value_or(0));
    if (!both_undefined && a.number(name) != b.number(name)) {
      const auto shown = [](const std::optional<double>& value) {
        return value ? number_text("{}", *value) : std::string("nothing");
      };
      return fmt::format("{} is {} and {}", name, shown(a.number(name)), shown(b.number(name)));
    }
  }
  for (const auto* name : kTexts) {
    if (a.text(name) != b.text(name)) {
      return fmt::format("{} is '{}' and '{}'", name, a.text(name), b.text(name));
    }
  }
  return {};
}

}  // namespace stepmark
