// SPDX-License-Identifier: Apache-2.0
// Reading runs and lines. Times are read by own code: strptime() takes half a date for one.
#include "results/history/history.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "core/error.h"
#include "results/history/add_run.h"
#include "results/history/history_file.h"
#include "results/history/rows.h"

namespace stepmark {
namespace {

// `count` digits at the front of `text`; -1 where there are none.
int digits(std::string_view& text, std::size_t count, std::string_view behind) {
  int value = 0;
  if (text.size() < count + behind.size()) return -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + count, value);
  if (status != std::errc{} || end != text.data() + count || value < 0) return -1;
  if (text.substr(count, behind.size()) != behind) return -1;
  text.remove_prefix(count + behind.size());
  return value;
}

}  // namespace

std::int64_t parse_utc(const std::string& text) {
  using namespace std::chrono;
  std::string_view rest = text;
  const int y = digits(rest, 4, "-");
  const int m = y < 0 ? -1 : digits(rest, 2, "-");
  const bool date_only = rest.size() == 2;
  const int d = m < 0 ? -1 : digits(rest, 2, date_only ? "" : "T");
  int hour = 0, minute = 0, second = 0;
  if (!date_only && d >= 0) {
    hour = digits(rest, 2, ":");
    minute = hour < 0 ? -1 : digits(rest, 2, ":");
    second = minute < 0 ? -1 : digits(rest, 2, "Z");
  }
  const year_month_day date{year{y}, month{static_cast<unsigned>(m)},
                            day{static_cast<unsigned>(d)}};
  const bool good = y >= 1970 && m > 0 && d > 0 && date.ok() && hour >= 0 && hour < 24 &&
                    minute >= 0 && minute < 60 && second >= 0 && second <= 60 && rest.empty();
  STEPMARK_REQUIRE(
      good, "'{}': expected a time as 2026-11-29T02:00:00Z (UTC), or a date as 2026-11-29", text);
  return duration_cast<seconds>(sys_days{date}.time_since_epoch()).count() + hour * 3600LL +
         minute * 60LL + second;
}

std::string utc_text(std::int64_t at) {
  using namespace std::chrono;
  constexpr std::int64_t kLatest = 253402300799;  // the year 9999
  const sys_seconds time{seconds{std::clamp<std::int64_t>(at, 0, kLatest)}};
  const sys_days date = floor<days>(time);
  const year_month_day ymd{date};
  const hh_mm_ss clock{time - date};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

History::History(const std::string& path, Open how)
    : database_(std::make_unique<Database>(open_history_file(path, how == Open::create))) {}
History::History(History&&) noexcept = default;
History& History::operator=(History&&) noexcept = default;
History::~History() = default;

AddResult History::add(const Run& run, const AddOptions& options) {
  return add_run(*database_, run, options);
}

std::vector<HistoryLine> History::lines() const {
  std::vector<HistoryLine> out;
  Statement rows = database_->prepare(
      "SELECT id, suite, place, backend, ranks, provenance FROM line "
      "ORDER BY suite, place, backend, ranks, provenance");
  while (rows.step()) {
    out.push_back({.id = rows.integer(0),
                   .suite = rows.text(1),
                   .place = rows.text(2),
                   .backend = rows.text(3),
                   .ranks = static_cast<int>(rows.integer(4)),
                   .provenance = rows.text(5)});
  }
  return out;
}

std::vector<HistoryRun> History::runs(int last) const {
  std::vector<HistoryRun> out;
  for (const HistoryLine& line : lines()) {
    Statement rows =
        database_->prepare(fmt::format("SELECT * FROM (SELECT {} FROM run WHERE line = ?1 "
                                       "ORDER BY at DESC, id DESC LIMIT ?2) ORDER BY at, id",
                                       kRunColumns));
    rows.bind(1, line.id).bind(2, last > 0 ? last : -1);
    while (rows.step()) out.push_back(run_of(rows, line));
  }
  return out;
}

}  // namespace stepmark
