// SPDX-License-Identifier: Apache-2.0
// Cases by family, with what all their ids end in said once. Where the spread between runs is only
// supposed, the interval shown is the within-run one and says so.
#include "results/views/table/comparison_table.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "core/stats.h"
#include "results/compare/outcome.h"
#include "results/views/table/format.h"
#include "results/views/table/text_table.h"
#include "results/views/words/comparison_words.h"

namespace stepmark {

namespace {

std::string ratio_text(const CaseVerdict& c) {
  if (!std::isfinite(c.ratio)) {
    return kNotAvailable;
  }
  // Where the spread between runs is only supposed, an interval would look like knowledge.
  const bool within = c.spread == Spread::generous && c.verdict == Verdict::undecided;
  const double lower = within ? c.within_lower : c.lower;
  const double upper = within ? c.within_upper : c.upper;
  const bool known = lower > 0.01 && upper < 100;
  return known ? fmt::format("{:.3f} {}[{:.3f}, {:.3f}]", c.ratio, within ? "within-run " : "",
                             lower, upper)
               : fmt::format("{:.3f} [?]", c.ratio);
}

std::string detectable_text(const CaseVerdict& c) {
  return c.minimum_detectable < 1           ? fmt::format("{:.1f} %", 100 * c.minimum_detectable)
         : std::isnan(c.minimum_detectable) ? kNotAvailable
                                            : "> 100 %";
}

std::string differences_text(const SideComparison& side) {
  TextTable table(
      {{"differs", Align::left}, {"baseline", Align::left}, {"candidate", Align::left}});
  std::size_t others = 0;
  for (const auto& d : side.differences) {
    if (d.fingerprint) {
      table.add({fmt::format("{} {}", d.section, d.name), d.baseline.empty() ? "-" : d.baseline,
                 d.candidate.empty() ? "-" : d.candidate});
    } else {
      ++others;
    }
  }
  auto out = table.empty() ? std::string("Same environment and configuration.\n") : table.text();
  if (others > 0) {
    out += fmt::format("(and {} facts that are expected to change, such as host names and load)\n",
                       others);
  }
  out.push_back('\n');
  return out;
}

// "/out-of-place/world4": what all ids end in, in whole segments, said once above the table.
std::string common_ending(const std::vector<const CaseVerdict*>& cases) {
  if (cases.size() < 2) {
    return {};
  }
  std::string_view ending = cases.front()->case_id;
  for (const auto* c : cases) {
    while (!c->case_id.ends_with(ending)) {
      const auto next = ending.find('/', 1);
      ending = next == std::string_view::npos ? std::string_view{} : ending.substr(next);
    }
  }
  return ending.starts_with('/') ? std::string(ending) : std::string{};
}

std::string family_text(const std::string& family, const std::vector<const CaseVerdict*>& cases) {
  const auto ending = common_ending(cases);
  const auto prefix = fmt::format("{}/", family);
  TextTable table({{family, Align::left},
                   {"baseline"},
                   {"candidate"},
                   {"time ratio [interval]"},
                   {"verdict", Align::left},
                   {"detects"},
                   {"to decide"}});
  for (const auto* c : cases) {
    std::string_view name = c->case_id;
    name.remove_suffix(ending.size());
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
    }
    table.add({std::string(name), format_time(c->baseline_s), format_time(c->candidate_s),
               ratio_text(*c), std::string(name_of(c->verdict)), detectable_text(*c),
               need_text(c->to_decide)});
  }
  return fmt::format("{}{}\n", ending.empty() ? "" : wrapped(fmt::format("... {}", ending), 2),
                     table.text());
}

// Where the spread between runs is from, with the figures of the case in the middle.
std::string spread_text(const SideComparison& side) {
  std::vector<double> common;
  std::vector<double> own;
  auto spread = Spread::measured;
  for (const auto& c : side.cases) {
    if (std::isfinite(c.common_sd)) {
      common.push_back(c.common_sd);
      own.push_back(c.own_sd);
      spread = c.spread;
    }
  }
  if (common.empty() || spread == Spread::generous) {
    return {};
  }
  return fmt::format(
      "Spread between runs, {}: {:.2f} % common to a run's cases, {:.2f} % of a "
      "case beside that. ",
      name_of(spread), 100 * median(common), 100 * median(own));
}

std::string side_text(const SideComparison& side, const CompareOptions& options) {
  auto out = wrapped(fmt::format("{} against the baseline {}", side.candidate, side.baseline), 2) +
             differences_text(side);
  std::vector<std::string> families;
  std::map<std::string, std::vector<const CaseVerdict*>> compared;
  std::string reasons;
  for (const auto& c : side.cases) {
    if (const auto reason = reason_text(c); !reason.empty()) {
      reasons +=
          wrapped(fmt::format("  {}: {}{}", c.case_id,
                              is_compared(c.verdict) ? "" : fmt::format("{}: ", name_of(c.verdict)),
                              reason),
                  4);
    }
    if (is_compared(c.verdict)) {
      auto& cases = compared[c.family];
      if (cases.empty()) {
        families.push_back(c.family);
      }
      cases.push_back(&c);
    }
  }
  for (const auto& family : families) {
    out += family_text(family, compared[family]);
  }
  if (!reasons.empty()) {
    out += fmt::format("Remarks\n{}\n", reasons);
  }
  out += wrapped(counts_text(side), 2);
  if (const auto deciding = deciding_text(side, options); !deciding.empty()) {
    out += wrapped(deciding, 2);
  }
  for (const auto& note : notes_text(side)) {
    out += wrapped(fmt::format("Note: {}", note), 2);
  }
  return out +
         wrapped(fmt::format("A ratio over 1 is slower. Verdicts, \"same\" included, hold at "
                             "{:.0f} % for all cases together (step-down); differences up "
                             "to {:.1f} % count as same. {}\"detects\" is the slow-down that "
                             "this data would find with 80 % power.",
                             100 * options.confidence, 100 * options.margin, spread_text(side)),
                 2);
}

}  // namespace

std::string comparison_table(const Comparison& comparison) {
  std::string out;
  for (const auto& side : comparison.sides) {
    out += fmt::format("{}{}", out.empty() ? "" : "\n", side_text(side, comparison.options));
  }
  return out + wrapped(closing_text(comparison), 2);
}

}  // namespace stepmark
