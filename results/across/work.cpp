// SPDX-License-Identifier: Apache-2.0
// The plan's text names sequence and optimizer beside what a provider may choose; only words that
// change the result of the step belong to the work.
#include "results/across/work.h"

#include <fmt/format.h>

#include <array>

#include "core/number_text.h"
#include "results/families/step.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::step;

constexpr const char* kNotStated = "not stated";

// "seq=64" of "tp=2,seq=64" or "tp=2 seq=64".
std::string word_of(const std::string& plan, std::string_view key) {
  std::size_t begin = 0;
  while (begin < plan.size()) {
    const std::size_t end = std::min(plan.find_first_of(", ", begin), plan.size());
    const std::string_view word = std::string_view(plan).substr(begin, end - begin);
    if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=') {
      return std::string(word.substr(key.size() + 1));
    }
    begin = end + 1;
  }
  return kNotStated;
}

std::string number_of(const Record& record, const char* name) {
  const auto value = record.number(name);
  return value ? number_text("{}", *value) : kNotStated;
}

std::string text_of(const Record& record, const char* name) {
  const std::string text = record.text(name);
  return text.empty() ? kNotStated : text;
}

std::string why_unusable(const Record& record) {
  if (record.outcome != Outcome::ok) {
    return fmt::format("{}: {}", name_of(record.outcome), record.reason);
  }
  if (!record.perf_valid) return not_performance(record);
  for (const Check& check : record.checks) {
    if (!check.passed) return fmt::format("check failed: {}: {}", check.name, check.detail);
  }
  return record.checks.empty() ? "nothing was checked" : std::string();
}

}  // namespace

Work work_of(const Run& run, const Record& record) {
  const std::string plan = record.text(names::kPlan);
  const std::string precision = record.text(names::kPrecision);
  return {{"model", text_of(record, names::kWorkload)},
          {"parameters", number_of(record, names::kParameters)},
          {"layers", word_of(plan, "layers")},
          {"tokens per step", number_of(record, names::kTokensPerStep)},
          {"sequence", word_of(plan, "seq")},
          {"model FLOPs per step", number_of(record, names::kModelFlops)},
          {"precision", precision.empty() ? word_of(plan, "precision") : precision},
          {"learning rate", word_of(plan, "lr")},
          {"weight decay", word_of(plan, "weight_decay")},
          {"gradient clip", word_of(plan, "clip")},
          {"provenance", std::string(name_of(record.provenance))},
          {"method", fmt::format("stepmark {}", run.header.tool_version)}};
}

std::string work_difference(const Work& a, const Work& b) {
  std::string out;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i].second != b[i].second) {
      out += fmt::format("{}{} is {} and {}", out.empty() ? "" : "; ", a[i].first, a[i].second,
                         b[i].second);
    }
  }
  return out;
}

std::string why_no_step(const Run& run, const Record& record) {
  if (auto why = why_unusable(record); !why.empty()) return why;
  for (const Record* part : run.repetitions(record.case_id)) {
    if (part->outcome == Outcome::skipped) continue;
    if (auto why = why_unusable(*part); !why.empty()) return why;
  }
  return record.is_summary_only() ? std::string(kNoSamples) : std::string();
}

}  // namespace stepmark
