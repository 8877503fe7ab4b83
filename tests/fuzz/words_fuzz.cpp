// SPDX-License-Identifier: Apache-2.0
// Values of options and of single keys, from anyone: bytes, durations, shares, plans, lists of
// CPUs, days, moments, months. What is read is in its range, and what is written of it reads back.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/units.h"
#include "harness/measure/process_start.h"
#include "harness/spec/plan.h"
#include "results/contract/credits.h"
#include "results/contract/dates.h"
#include "results/history/history.h"
#include "results/money/calendar.h"

namespace stepmark {
namespace {

template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const Error&) {
    // Refusing the input is one of the two right answers.
  }
}

void units(std::string_view text) {
  attempt([&] {
    const auto bytes = parse_bytes(text);
    if (bytes < 0 || parse_bytes(exact_bytes(bytes)) != bytes) std::abort();
  });
  attempt([&] {
    const double seconds = parse_seconds(text);
    if (!std::isfinite(seconds) || seconds < 0) std::abort();
    static_cast<void>(format_seconds(seconds));
  });
  attempt([&] {
    const double share = parse_fraction(text);
    if (!(share >= 0 && share <= 1)) std::abort();
  });
}

void days(std::string_view text) {
  if (const auto day = parse_day(text); day && parse_day(to_text(*day)) != day) std::abort();
  static_cast<void>(parse_utc_day(text));
  static_cast<void>(parse_moment(text));
  attempt([&] { static_cast<void>(parse_utc(std::string(text))); });
  const auto middle = text.size() / 2;
  attempt([&] { static_cast<void>(parse_months(text.substr(0, middle), text.substr(middle))); });
  attempt([&] { static_cast<void>(parse_months(text, text)); });
}

}  // namespace
}  // namespace stepmark

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stepmark;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  units(text);
  days(text);
  attempt([&] {
    static_cast<void>(to_text(parse_plan(text)));  // yaml_fuzz has plans that a model makes whole
  });
  if (const auto list = parse_cpu_list(text)) {
    for (const int cpu : *list) {
      if (cpu < 0) std::abort();
    }
  }
  return 0;
}
