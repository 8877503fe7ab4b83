// SPDX-License-Identifier: Apache-2.0
// A table per series; the base stands in its heading and in its first row.
#include "results/views/table/scaling_table.h"

#include <fmt/format.h>

#include "results/across/scaling.h"
#include "results/views/table/format.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

std::string with_interval(const normalise::Measured& one, std::string (*shown)(double)) {
  if (!one.value) return kNotAvailable;
  return one.lower && one.upper
             ? fmt::format("{} [{}, {}]", shown(*one.value), shown(*one.lower), shown(*one.upper))
             : shown(*one.value);
}

std::string percent(double fraction) { return format_percent(fraction); }
std::string number(double value) { return format_number(value); }

std::string series_text(const ScalingSeries& series) {
  const ScaledSize& base = series.sizes.front();
  TextTable table({{.title = "GPUs"},
                   {.title = "runs"},
                   {.title = "step"},
                   {.title = "tokens/s"},
                   {.title = "per GPU"},
                   {.title = "efficiency"},
                   {.title = "plan", .align = Align::left}});
  for (const ScaledSize& one : series.sizes) {
    const bool is_base = &one == &base;
    const auto per_gpu =
        one.tokens_per_s.value ? std::optional(*one.tokens_per_s.value / one.gpus) : std::nullopt;
    table.add({number(one.gpus), fmt::format("{}", one.runs),
               one.step_s.value ? format_time(*one.step_s.value) : kNotAvailable,
               with_interval(one.tokens_per_s, number), format_number(per_gpu),
               is_base ? "base" : with_interval(one.against_base.efficiency.measured(), percent),
               one.plans > 1 ? fmt::format("{} (best of {})", one.plan, one.plans) : one.plan});
  }
  const std::string heading =
      fmt::format("Scaling ({}), {}{}{}: base {} GPUs", series.weak ? "weak" : "strong",
                  series.model, series.owner.empty() ? "" : ", ", series.owner, number(base.gpus));
  return fmt::format("{}\n{}", fit(heading, kTableWidth), table.text());
}

}  // namespace

std::string scaling_table(std::span<const Run> runs) {
  std::string out;
  for (const ScalingSeries& series : scaling_of(runs)) out += series_text(series);
  if (out.empty()) return out;
  return out +
         wrapped(
             "Efficiency is tokens/s/GPU over that of the base. Weak: the batch grows with the "
             "GPUs; strong: it stays. Intervals from two runs on; the best of several plans reads "
             "a "
             "little high.",
             2) +
         "\n";
}

}  // namespace stepmark
