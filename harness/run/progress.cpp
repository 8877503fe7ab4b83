// SPDX-License-Identifier: Apache-2.0
// Nothing is written in the midst of a case unless stderr is a terminal: log files get one line per
// case.
#include "harness/run/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>

#include "core/log_descriptor.h"
#include "core/units.h"
#include "core/utf8.h"

namespace stepmark {
namespace {

void write_text(const std::string& text) {
  // A lost line of progress is no reason to fail.
  static_cast<void>(!::write(log_descriptor(), text.data(), text.size()));
}

std::string result_of(const Record& record) {
  if (record.outcome != Outcome::ok) {
    return fmt::format("{}: {}", name_of(record.outcome), record.reason);
  }
  const Summary* time = record.summary("time_s");
  if (time == nullptr) return "ok";
  const double half = (time->upper - time->lower) / 2 / time->median;
  return fmt::format("{} ±{}, {} samples", format_seconds(time->median),
                     std::isfinite(half) ? fmt::format("{:.1f} %", 100 * half) : "?", time->count);
}

}  // namespace

ProgressLine::ProgressLine(bool active, std::size_t cases, const std::string& prefix)
    : active_(active),
      terminal_(isatty(log_descriptor()) == 1),
      prefix_(prefix.empty() ? "" : prefix + " "),
      cases_(cases) {}

void ProgressLine::begin(const std::string& case_id) {
  ++at_;
  case_id_ = case_id;
  if (active_ && terminal_)
    write_text(fmt::format("\r\x1b[K{}[{}/{}] {}", prefix_, at_, cases_, case_id_));
}

void ProgressLine::update(int samples, double half_width, double seconds_left) {
  if (!active_ || !terminal_) return;
  write_text(fmt::format(
      "\r\x1b[K{}[{}/{}] {}  {} samples{}  about {:.0f} s left", prefix_, at_, cases_, case_id_,
      samples, std::isfinite(half_width) ? fmt::format(" ±{:.1f} %", 100 * half_width) : "",
      seconds_left));
}

void ProgressLine::end(const Record& record) {
  if (!active_) return;
  write_text(fmt::format("{}{}[{}/{}] {}  {}\n", terminal_ ? "\r\x1b[K" : "", prefix_, at_, cases_,
                         record.case_id, printable_line(result_of(record))));
}

}  // namespace stepmark
