// SPDX-License-Identifier: Apache-2.0
// Adding a run behind others leaves what was found as it is; adding one between others forgets the
// scan of its series (add_run.cpp), which then starts again. The file has one thread; what is found
// in series is found by all cores, a batch of series at a time, which bounds the memory.
#include "results/history/scan_series.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <limits>
#include <string>
#include <thread>

namespace stepmark {
namespace {

constexpr const char* kCounting =
    "FROM point WHERE series = ?1 AND counts AND median > 0 AND median < 1e300 ";

constexpr RunPlace kNever{.at = std::numeric_limits<std::int64_t>::min()};

struct Points {
  std::vector<double> medians;
  std::vector<RunPlace> places;
  void add(const RunPlace& place, double median) {
    places.push_back(place);
    medians.push_back(median);
  }
};

// A series whose new points are to be scanned, and what was found.
struct Task {
  std::int64_t series = 0;
  ScanState state;
  Points points;         // some that were scanned already, then those that are new
  std::size_t from = 0;  // the first new one
  std::vector<Change> changes;
  [[nodiscard]] std::size_t new_points() const { return points.medians.size() - from; }
};

class SeriesScan {
 public:
  SeriesScan(const Database& database, const ChangeOptions& options)
      : options_(options), text_(options.text()), database_(database) {}

  [[nodiscard]] Task load_task(std::int64_t series) {
    Task out{.series = series};
    RunPlace last = kNever;
    load(series, out.state, last);
    out.points = load_before(series, last, points_before(options_, out.state));
    if (out.points.medians.size() < points_before(options_, out.state)) {
      forget_.bind(1, series).run();  // points are gone: start again
      out.state = {};
      last = kNever;
      out.points = {};
    }
    out.from = out.points.medians.size();
    load_new(series, last, out.points);
    return out;
  }

  void keep_found(const Task& task) {
    if (task.new_points() == 0) return;
    for (const Change& change : task.changes) keep(task.series, task.points, change);
    save(task.series, task.points.places.back(), task.state);
  }

 private:
  void load(std::int64_t series, ScanState& state, RunPlace& last) {
    load_.reset().bind(1, series);
    if (!load_.step()) return;
    if (load_.text(0) != text_) {
      load_.reset();
      forget_.bind(1, series).run();
      return;
    }
    last = {.at = load_.integer(1), .run = load_.integer(2)};
    state = {.level_points = static_cast<std::size_t>(load_.integer(3)),
             .first_level = load_.boolean(4)};
    load_.reset();
  }

  void load_new(std::int64_t series, const RunPlace& last, Points& out) {
    new_.reset().bind(1, series).bind(2, last.at).bind(3, last.run);
    while (new_.step()) {
      out.add({.at = new_.integer(0), .run = new_.integer(1)}, new_.real(2));
    }
    new_.reset();
  }

  Points load_before(std::int64_t series, const RunPlace& last, std::size_t most) {
    Points out;
    before_.reset().bind(1, series).bind(2, last.at).bind(3, last.run);
    before_.bind(4, static_cast<std::int64_t>(most));
    while (before_.step()) {
      out.add({.at = before_.integer(0), .run = before_.integer(1)}, before_.real(2));
    }
    before_.reset();
    std::reverse(out.medians.begin(), out.medians.end());
    std::reverse(out.places.begin(), out.places.end());
    return out;
  }

  void keep(std::int64_t series, const Points& points, const Change& change) {
    const RunPlace& place = points.places.at(change.at);
    keep_.bind(1, series).bind(2, place.at).bind(3, place.run);
    keep_.bind(4, points.places.at(change.found).run).bind(5, change.ratio);
    keep_.bind(6, change.split_p).bind(7, change.means_p).run();
  }

  void save(std::int64_t series, const RunPlace& end, const ScanState& state) {
    save_.bind(1, series).bind(2, text_).bind(3, end.at).bind(4, end.run);
    save_.bind(5, static_cast<std::int64_t>(state.level_points)).bind(6, state.first_level).run();
  }

  const ChangeOptions& options_;
  std::string text_;
  const Database& database_;
  Statement load_ = database_.prepare(
      "SELECT options, at, run, level_points, first_level FROM scan WHERE series = ?1");
  Statement forget_ = database_.prepare("DELETE FROM change WHERE series = ?1");
  Statement new_ = database_.prepare(std::string("SELECT at, run, median ") + kCounting +
                                     "AND (at, run) > (?2, ?3) ORDER BY at, run");
  Statement before_ =
      database_.prepare(std::string("SELECT at, run, median ") + kCounting +
                        "AND (at, run) <= (?2, ?3) ORDER BY at DESC, run DESC LIMIT ?4");
  Statement keep_ = database_.prepare(
      "INSERT OR REPLACE INTO change(series, at, run, found_run, ratio, split_p, means_p) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  Statement save_ = database_.prepare(
      "INSERT OR REPLACE INTO scan(series, options, at, run, level_points, first_level) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
};

constexpr std::size_t kBatchPoints = 500'000;   // in memory together, and one series more
constexpr std::size_t kPointsOfThread = 5'000;  // new ones that are worth another thread

void find_in_all(std::vector<Task>& tasks, const ChangeOptions& options) {
  std::size_t new_points = 0;
  for (const Task& task : tasks) new_points += task.new_points();
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < tasks.size(); i = next++) {
      Task& task = tasks[i];
      task.changes = find_changes(task.points.medians, task.from, options, task.state);
    }
  };
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t others = std::min({cores, tasks.size(), new_points / kPointsOfThread + 1}) - 1;
  std::vector<std::future<void>> helpers;
  for (std::size_t i = 0; i < others; ++i) {
    helpers.push_back(std::async(std::launch::async, work));
  }
  work();
  for (auto& helper : helpers) helper.get();
}

}  // namespace

std::int64_t scan_all_series(const Database& database, const ChangeOptions& options) {
  std::vector<std::int64_t> all;
  Statement series = database.prepare("SELECT id FROM series ORDER BY id");
  while (series.step()) all.push_back(series.integer(0));
  SeriesScan scan(database, options);
  std::int64_t points = 0;
  for (std::size_t next = 0; next < all.size();) {
    std::vector<Task> tasks;
    std::size_t loaded = 0;
    while (next < all.size() && loaded < kBatchPoints) {
      tasks.push_back(scan.load_task(all[next++]));
      loaded += tasks.back().points.medians.size();
      points += static_cast<std::int64_t>(tasks.back().new_points());
    }
    find_in_all(tasks, options);
    for (const Task& task : tasks) scan.keep_found(task);
  }
  return points;
}

std::vector<double> medians_between(const Database& database, std::int64_t series,
                                    const RunPlace& from, const RunPlace& to, std::size_t most) {
  Statement rows = database.prepare(std::string("SELECT median ") + kCounting +
                                    "AND (at, run) >= (?2, ?3) AND (at, run) < (?4, ?5) "
                                    "ORDER BY at DESC, run DESC LIMIT ?6");
  rows.bind(1, series).bind(2, from.at).bind(3, from.run).bind(4, to.at).bind(5, to.run);
  rows.bind(6, static_cast<std::int64_t>(most));
  std::vector<double> out;
  while (rows.step()) out.push_back(rows.real(0));
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace stepmark
