// SPDX-License-Identifier: Apache-2.0
// A change is found case by case; people look for one cause. Changes of one direction whose first
// runs are neighbours are one event, at the run that most of its cases name.
#include "results/history/events.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "results/families/layer.h"
#include "results/history/event_facts.h"
#include "results/history/scan_series.h"

namespace stepmark {
namespace {

constexpr RunPlace kBegin{.at = std::numeric_limits<std::int64_t>::min()};
constexpr RunPlace kEnd{.at = std::numeric_limits<std::int64_t>::max()};

struct RunInLine {
  std::int64_t position = 0;
  std::string run_id, started;
  RunPlace place;
};

struct SeriesChange {
  std::int64_t series = 0, found_run = 0;
  std::string case_id, family, reach;
  RunPlace place;
  RunPlace before = kBegin, after = kEnd;  // the changes next to it
  std::int64_t position = 0;
  double ratio = 1, split_p = 1, means_p = 1;
};

struct SeriesOfLine {
  std::int64_t id = 0;
  Layer layer = Layer::whole;
  std::string reach;
  RunPlace last;
};

struct KnownAlarm {
  std::int64_t number = 0;
  std::string acknowledged, note;
};

class LineEvents {
 public:
  LineEvents(const Database& database, const HistoryLine& line, const ChangeOptions& options)
      : database_(database), line_(line), options_(options) {}

  std::vector<HistoryEvent> all() {
    std::vector<HistoryEvent> out;
    load_changes();
    if (changes_.empty()) return out;
    load_runs();
    load_series();
    load_alarms();
    // A run that is not of this line would be a damaged file: no more than nothing is said of it.
    std::erase_if(changes_, [this](const SeriesChange& change) {
      return !by_id_.contains(change.place.run);
    });
    for (SeriesChange& change : changes_) change.position = by_id_.at(change.place.run);
    for (const bool slower : {true, false}) {
      for (const auto& group : groups(slower)) out.push_back(event_of(group, slower));
    }
    return out;
  }

 private:
  using Group = std::vector<const SeriesChange*>;

  void load_runs() {
    Statement rows = database_.prepare(
        "SELECT id, at, run_id, started FROM run WHERE line = ?1 ORDER BY at, id");
    rows.bind(1, line_.id);
    while (rows.step()) {
      const auto position = static_cast<std::int64_t>(runs_.size());
      by_id_[rows.integer(0)] = position;
      runs_.push_back({.position = position,
                       .run_id = rows.text(2),
                       .started = rows.text(3),
                       .place = {.at = rows.integer(1), .run = rows.integer(0)}});
    }
  }

  void load_changes() {
    Statement rows = database_.prepare(
        "SELECT series.id, case_id, family, reach, at, run, found_run, ratio, split_p, means_p "
        "FROM series JOIN change ON change.series = series.id WHERE line = ?1 "
        "ORDER BY series.id, at, run");
    rows.bind(1, line_.id);
    while (rows.step()) {
      SeriesChange change{.series = rows.integer(0),
                          .found_run = rows.integer(6),
                          .case_id = rows.text(1),
                          .family = rows.text(2),
                          .reach = rows.text(3),
                          .place = {.at = rows.integer(4), .run = rows.integer(5)},
                          .ratio = rows.real(7),
                          .split_p = rows.real(8),
                          .means_p = rows.real(9)};
      if (!changes_.empty() && changes_.back().series == change.series) {
        changes_.back().after = change.place;
        change.before = changes_.back().place;
      }
      changes_.push_back(std::move(change));
    }
  }

  // Where the last point that counts is, the scan has kept.
  void load_series() {
    Statement rows = database_.prepare(
        "SELECT series.id, family, reach, scan.at, scan.run FROM series JOIN scan ON "
        "scan.series = series.id WHERE line = ?1");
    rows.bind(1, line_.id);
    while (rows.step()) {
      series_.push_back({.id = rows.integer(0),
                         .layer = layer_of_family(rows.text(1)),
                         .reach = rows.text(2),
                         .last = {.at = rows.integer(3), .run = rows.integer(4)}});
    }
  }

  void load_alarms() {
    Statement rows = database_.prepare(
        "SELECT number, run, acknowledged, note FROM alarm WHERE line = ?1 ORDER BY number");
    rows.bind(1, line_.id);
    while (rows.step()) {
      const auto run = by_id_.find(rows.integer(1));
      if (run == by_id_.end()) continue;
      alarms_.emplace(run->second, KnownAlarm{.number = rows.integer(0),
                                              .acknowledged = rows.text(2),
                                              .note = rows.text(3)});
    }
  }

  [[nodiscard]] std::vector<Group> groups(bool slower) const {
    Group of;
    for (const SeriesChange& change : changes_) {
      if ((change.ratio > 1) == slower) of.push_back(&change);
    }
    std::stable_sort(of.begin(), of.end(), [](const SeriesChange* a, const SeriesChange* b) {
      return a->position < b->position;
    });
    std::vector<Group> out;
    for (const SeriesChange* change : of) {
      if (out.empty() || change->position - out.back().front()->position > kOneEvent) {
        out.emplace_back();
      }
      out.back().push_back(change);
    }
    return out;
  }

  // The run that most changes name; of several the first.
  [[nodiscard]] const RunInLine& first_run(const Group& group) const {
    std::map<std::int64_t, int> votes;
    for (const SeriesChange* change : group) ++votes[change->position];
    const auto most =
        std::max_element(votes.begin(), votes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return runs_.at(static_cast<std::size_t>(most->first));
  }

  [[nodiscard]] ChangedCase case_of(const SeriesChange& change) const {
    const auto between = [&](const RunPlace& from, const RunPlace& to) {
      return medians_between(database_, change.series, from, to, options_.window);
    };
    const std::vector<double> before = between(change.before, change.place);
    ChangedCase out{.case_id = change.case_id,
                    .family = change.family,
                    .ratio = level_ratio(before, between(change.place, change.after)),
                    .split_p = change.split_p,
                    .means_p = change.means_p};
    if (change.after == kEnd) return out;
    const RunPlace last = last_change_of(change.series);
    out.recovered = level_ratio(before, between(last, kEnd)).ratio <= 1 + options_.least_effect;
    return out;
  }

  [[nodiscard]] RunPlace last_change_of(std::int64_t series) const {
    RunPlace out = kBegin;
    for (const SeriesChange& change : changes_) {
      if (change.series == series) out = std::max(out, change.place);
    }
    return out;
  }

  [[nodiscard]] LayerEvidence evidence(const Group& group, const RunInLine& first) const {
    std::set<std::int64_t> moved;
    for (const SeriesChange* change : group) moved.insert(change->series);
    LayerEvidence out;
    for (const SeriesOfLine& one : series_) {
      if (one.last < first.place) continue;  // was no longer measured
      Moved& kind = one.layer == Layer::device  ? out.device
                    : one.layer == Layer::whole ? out.whole
                    : one.reach == "host"       ? out.within_host
                    : one.reach == "hosts"      ? out.across_hosts
                                                : out.unknown_reach;
      ++kind.of;
      kind.cases += moved.contains(one.id) ? 1 : 0;
    }
    return out;
  }

  HistoryEvent event_of(const Group& group, bool slower) const {
    const RunInLine& first = first_run(group);
    const RunInLine& last =
        runs_.at(static_cast<std::size_t>(std::max<std::int64_t>(first.position - 1, 0)));
    HistoryEvent out{.line = line_, .slower = slower};
    out.first_run = first.run_id;
    out.first_started = first.started;
    out.last_run = last.run_id;
    out.last_started = last.started;
    std::int64_t found = first.position;
    for (const SeriesChange* change : group) {
      out.cases.push_back(case_of(*change));
      if (const auto at = by_id_.find(change->found_run); at != by_id_.end()) {
        found = std::max(found, at->second);
      }
    }
    out.found_run = runs_.at(static_cast<std::size_t>(found)).run_id;
    std::stable_sort(
        out.cases.begin(), out.cases.end(),
        [](const ChangedCase& a, const ChangedCase& b) { return a.ratio.ratio > b.ratio.ratio; });
    if (!slower) std::reverse(out.cases.begin(), out.cases.end());
    out.recovered = std::all_of(out.cases.begin(), out.cases.end(),
                                [](const ChangedCase& one) { return one.recovered; });
    out.layer = probable_layer(evidence(group, first));
    out.differences = differences_between(database_, last.place.run, first.place.run);
    out.annotations = annotations_between(database_, line_.id, last.place.at, first.place.at);
    if (slower) number(out, first);
    return out;
  }

  // The number of an alarm at this run or at a neighbour, or a new one.
  void number(HistoryEvent& event, const RunInLine& first) const {
    std::int64_t nearest = kOneEvent + 1;
    const auto end = alarms_.upper_bound(first.position + kOneEvent);
    for (auto one = alarms_.lower_bound(first.position - kOneEvent); one != end; ++one) {
      const std::int64_t distance = std::abs(one->first - first.position);
      if (distance >= nearest) continue;
      nearest = distance;
      event.number = one->second.number;
      event.acknowledged = one->second.acknowledged;
      event.note = one->second.note;
    }
    if (event.number != 0) return;
    database_.prepare("INSERT INTO alarm(line, run, acknowledged, note) VALUES(?1, ?2, '', '')")
        .bind(1, line_.id)
        .bind(2, first.place.run)
        .run();
    event.number = database_.last_id();
  }

  const Database& database_;
  const HistoryLine& line_;
  const ChangeOptions& options_;
  std::vector<RunInLine> runs_;
  std::map<std::int64_t, std::int64_t> by_id_;  // positions
  std::vector<SeriesChange> changes_;
  std::vector<SeriesOfLine> series_;
  std::multimap<std::int64_t, KnownAlarm> alarms_;  // by the position of their run
};

}  // namespace

std::vector<HistoryEvent> events_of(const Database& database, const HistoryLine& line,
                                    const ChangeOptions& options) {
  return LineEvents(database, line, options).all();
}

}  // namespace stepmark
