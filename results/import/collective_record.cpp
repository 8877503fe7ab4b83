// SPDX-License-Identifier: Apache-2.0
// The id of a row's case, its facts, and whether the bandwidths that the tool printed are those
// that follow: both are ranges, as wide as the digits that were printed leave open.
#include "results/import/collective_record.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/metrics.h"
#include "core/number_text.h"
#include "core/units.h"
#include "results/families/collective.h"
#include "results/families/derive.h"
#include "results/import/source_facts.h"
#include "results/record/common_facts.h"
#include "results/record/summary.h"

namespace stepmark {
namespace {

namespace names = facts::collective;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kSlack = 1e-6;   // of tools that round twice
constexpr int kMostRanks = 4096;  // far beyond what the digits of two bandwidths tell apart

struct Range {
  double low, high;
};

Range range_of(const PrintedNumber& number) {
  return {.low = number.value - number.half_unit, .high = number.value + number.half_unit};
}

// bytes / time for every time that rounds to what was printed.
Range rate_of(double bytes, const PrintedNumber& time) {
  const Range s = range_of(time);
  return {.low = bytes / s.high / kGB,
          .high = s.low > 0 ? bytes / s.low / kGB : std::numeric_limits<double>::infinity()};
}

// Empty where they agree.
std::string contradiction(const char* name, const PrintedNumber& told, const Range& ours,
                          const std::string& from) {
  const Range theirs = range_of(told);
  if (theirs.low <= ours.high * (1 + kSlack) && theirs.high >= ours.low * (1 - kSlack)) return {};
  return fmt::format("the file's {} {} GB/s is not {} ({} GB/s)", name,
                     number_text("{:.6g}", told.value), from,
                     number_text("{:.4g}", (ours.low + ours.high) / 2));
}

void compare_bandwidths(const ToldCollective& told, Record& record) {
  if (told.size_bytes <= 0) return;
  const Range algbw = rate_of(static_cast<double>(told.size_bytes), *told.time_s);
  if (told.algbw) {
    const std::string why = contradiction("algbw", *told.algbw, algbw, "size over time");
    if (!why.empty()) record.labels.push_back(why);
  }
  const auto kind = find_collective(told.collective);
  if (!told.busbw || !kind || told.ranks < 1) return;
  const double factor = bus_factor(*kind, told.ranks);
  const std::string why =
      contradiction("busbw", *told.busbw, {.low = algbw.low * factor, .high = algbw.high * factor},
                    fmt::format("that of {} over {} ranks", told.collective, told.ranks));
  if (!why.empty()) record.labels.push_back(why);
}

std::string id_of(const ToldCollective& told) {
  std::string id = fmt::format("collective/{}", told.collective);
  const auto add = [&](const std::string& part) {
    if (!part.empty()) id.append("/").append(part);
  };
  if (told.size_bytes > 0) {
    add(told.dtype);
    add(told.op);
    add(exact_bytes(told.size_bytes));
    add(told.placement);
  }
  id += told.ranks > 0 ? fmt::format("/world{}", told.ranks) : "/world-unknown";
  return id + told.id_end;
}

void add_check(const ToldCollective& told, Record& record) {
  if (!told.wrong) return;
  const bool passed = *told.wrong == 0;
  record.checks.push_back(
      {.name = "as the tool checked", .passed = passed, .detail = told.check_detail});
  if (passed) return;
  record.outcome = Outcome::failed;
  record.reason = fmt::format("wrong data: {}", told.check_detail);
}

void describe(const ToldCollective& told, Record& record) {
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) record.texts.emplace_back(name, value);
  };
  text(names::kCollective, told.collective);
  text(facts::kDtype, told.dtype);
  text(names::kOp, told.op);
  text(names::kPlacement, told.placement);
  text(facts::kMode, told.mode);
  text(facts::source::kToldTime, told.told_time);
  record.numbers.emplace_back(names::kSizeBytes, static_cast<double>(told.size_bytes));
  if (told.ranks > 0) record.numbers.emplace_back(facts::kRanks, told.ranks);
  if (told.count > 0) record.numbers.emplace_back(facts::kIterations, told.count);
  if (told.algbw) record.numbers.emplace_back(facts::source::kAlgbw, told.algbw->value);
  if (told.busbw) record.numbers.emplace_back(facts::source::kBusbw, told.busbw->value);
  record.numbers.insert(record.numbers.end(), told.numbers.begin(), told.numbers.end());
  record.texts.insert(record.texts.end(), told.texts.begin(), told.texts.end());
}

}  // namespace

void add_source(Record& record, const ImportSource& source, const std::string& tool, int line) {
  record.provenance = Provenance::imported;
  const std::string name = std::filesystem::path(source.path).filename().string();
  record.texts.emplace_back(facts::source::kFile, name);
  record.texts.emplace_back(facts::source::kTool, tool);
  record.numbers.emplace_back(facts::source::kLine, line);
}

void set_time(Record& record, std::int64_t count, double time_s, double min_s, double max_s) {
  Summary time = imported_summary(facts::kTimeS,
                                  {.count = count, .median = time_s, .min = min_s, .max = max_s});
  record.summaries = {std::move(time)};
}

void set_not_measured(Record& record, std::string reason) {
  record.outcome = Outcome::not_measured;
  record.reason = std::move(reason);
  record.summaries.clear();
}

Record collective_record(const ImportSource& source, const std::string& tool,
                         const ToldCollective& told) {
  Record record{.case_id = id_of(told), .family = names::kFamily, .labels = told.labels};
  describe(told, record);
  add_source(record, source, tool, told.line);
  if (!told.time_s || !(told.time_s->value > 0)) {
    set_not_measured(
        record, !told.no_time.empty() ? told.no_time : fmt::format("line {}: no time", told.line));
    return record;
  }
  record.labels.push_back(fmt::format("time: {}", told.told_time));
  set_time(record, told.count, told.time_s->value, told.min_s.value_or(kNaN),
           told.max_s.value_or(kNaN));
  record.summaries.front().p95 = told.p95_s.value_or(kNaN);
  record.summaries.front().p99 = told.p99_s.value_or(kNaN);
  compare_bandwidths(told, record);
  add_check(told, record);
  derive(record);
  return record;
}

int ranks_from_bandwidths(const std::string& collective, const PrintedNumber& algbw,
                          const PrintedNumber& busbw) {
  const auto kind = find_collective(collective);
  const Range alg = range_of(algbw);
  const Range bus = range_of(busbw);
  if (!kind || !(alg.low > 0)) return 0;
  const Range factor{.low = bus.low / alg.high, .high = bus.high / alg.low};
  // Factors grow with the ranks and never reach their bound: at most one is among few.
  int found = 0;
  for (int ranks = 2; ranks <= kMostRanks; ++ranks) {
    const double own = bus_factor(*kind, ranks);
    if (own < factor.low) continue;
    if (own > factor.high) break;
    if (found != 0) return 0;
    found = ranks;
  }
  return found;
}

}  // namespace stepmark
