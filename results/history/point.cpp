// SPDX-License-Identifier: Apache-2.0
// The same facts that `compare` asks for (Family::same_numbers, same_texts) are the work of a case,
// but for the topology: who lies where may change from night to night, and is a fact to be shown.
#include "results/history/point.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/number_text.h"
#include "results/families/family.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

std::string why_not(const Record& record, const Summary* time) {
  if (record.outcome != Outcome::ok) {
    return fmt::format("{}: {}", name_of(record.outcome), record.reason);
  }
  const auto failed = std::find_if(record.checks.begin(), record.checks.end(),
                                   [](const Check& check) { return !check.passed; });
  if (failed != record.checks.end()) return fmt::format("check failed: {}", failed->name);
  if (!record.perf_valid) return not_performance(record);
  if (time == nullptr || !(time->median > 0) || !std::isfinite(time->median)) return "no time";
  return {};
}

void add_facts(const Family& family, const Record& record, std::string& out) {
  for (const std::string& name : family.same_numbers) {
    if (const auto value = record.number(name)) {
      out += fmt::format("{}={};", name, number_text("{}", *value));
    }
  }
  for (const std::string& name : family.same_texts) {
    if (const std::string text = record.text(name); !text.empty()) {
      out += fmt::format("{}={};", name, text);
    }
  }
}

}  // namespace

Point point_of(const Record& record) {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  const Summary* time = record.summary(facts::kTimeS);
  Point out{.median = kUnknown, .lower = kUnknown, .upper = kUnknown};
  if (time != nullptr) {
    out.median = time->median;
    out.lower = time->lower;
    out.upper = time->upper;
    out.samples = time->count;
  }
  out.outcome = name_of(record.outcome);
  out.remark = why_not(record, time);
  out.counts = out.remark.empty();
  return out;
}

std::string work_of(const Record& record) {
  std::string out;
  if (const Family* family = find_family(record.family)) {
    add_facts(*family, record, out);
  } else {
    for (const Family& one : families()) add_facts(one, record, out);
  }
  return out;
}

// A text may hold what separates: it ends where the text of the next fact begins.
void add_work(const std::string& work, Record& record) {
  const Family* family = find_family(record.family);
  if (family == nullptr) return;
  struct Found {
    std::size_t at = 0;
    std::string name;
    bool is_number = false;
  };
  std::vector<Found> found;
  std::size_t from = 0;
  const auto look_for = [&](const std::vector<std::string>& names, bool is_number) {
    for (const std::string& name : names) {
      const std::string key = (found.empty() ? "" : ";") + name + "=";
      const std::size_t at =
          found.empty() ? (work.starts_with(key) ? 0 : std::string::npos) : work.find(key, from);
      if (at == std::string::npos) continue;
      from = at + key.size();
      found.push_back({.at = from, .name = name, .is_number = is_number});
    }
  };
  look_for(family->same_numbers, true);
  look_for(family->same_texts, false);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::size_t end =
        i + 1 < found.size() ? found[i + 1].at - found[i + 1].name.size() - 2 : work.size() - 1;
    const std::string text = work.substr(found[i].at, std::max(end, found[i].at) - found[i].at);
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (!found[i].is_number) {
      record.texts.emplace_back(found[i].name, text);
    } else if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size()) {
      record.numbers.emplace_back(found[i].name, number);
    }
  }
}

std::string reach_of(const Record& record, int ranks_per_host) {
  const auto ranks = record.number(facts::kRanks);
  if (!ranks || ranks_per_host <= 0) return {};
  return *ranks > ranks_per_host ? "hosts" : "host";
}

}  // namespace stepmark
