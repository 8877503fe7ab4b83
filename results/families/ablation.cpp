// SPDX-License-Identifier: Apache-2.0
// Family `ablation`: how much sooner a step would end if a part of it cost nothing. Both forms run
// in turns, and what is saved is a series of differences of neighbours, so that its interval is
// that of the pairs.
#include "results/families/ablation.h"

#include <fmt/format.h>

#include "core/units.h"
#include "results/families/family.h"
#include "results/families/figures.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::ablation;

// Its interval is shown, as what is saved may be nothing.
Metric saved_of(const Summary& saved) {
  Metric metric = duration("saved", "s", 1.0, saved);
  metric.note =
      metric.lower && metric.upper
          ? fmt::format("{} to {}", format_seconds(*metric.lower), format_seconds(*metric.upper))
          : std::string("N/A");
  return metric;
}

// Of what is saved over the median of the whole step, whose own interval is the smaller part.
Metric share_of_step(const Summary& saved, const Summary& time) {
  Metric share = duration("saved_share", "1", time.median, saved);
  share.higher_is_better = false;
  return share;
}

void derive_ablation(Record& record, const Summary& time) {
  add(record, duration("step", "s", 1.0, time));
  const std::string missing = first_missing(record, {names::kWithoutS, names::kSavedS});
  if (!missing.empty()) {
    for (const auto& [name, unit] :
         {std::pair{"without", "s"}, {"saved", "s"}, {"saved_share", "1"}}) {
      add_broken(record, name, unit, no_samples(missing));
    }
  } else {
    const Summary saved = *record.summary(names::kSavedS);
    add(record, duration("without", "s", 1.0, *record.summary(names::kWithoutS)));
    add(record, saved_of(saved));
    add(record, share_of_step(saved, time));
  }
  if (const auto exposed = record.number(names::kExposedS)) {
    add(record, figure("exposed", "s", *exposed,
                       "the step's own split, of the rank that waits least", false));
  } else {
    add(record,
        not_available("exposed", "s", "of communication alone, and where a traced step has spans"));
  }
}

std::vector<Column> columns() {
  return {{"step", {{From::text, names::kStep}}, true},
          {"without", {{From::text, names::kPart}}, true},
          {"whole", {{From::metric, "step", Show::seconds}}},
          {"without", {{From::metric, "without", Show::seconds}}},
          {"saved", {{From::metric, "saved", Show::seconds}}},
          {"95 %", {{From::note, "saved"}}},
          {"of the step", {{From::metric, "saved_share", Show::share}}},
          {"exposed", {{From::metric, "exposed", Show::seconds}}}};
}

std::vector<Column> and_then(std::vector<Column> columns, std::vector<Column> more) {
  columns.insert(columns.end(), more.begin(), more.end());
  return columns;
}

Table table() {
  return {.heading = "Without a part",
          .columns = and_then(
              columns(), {{"check", {{From::checks}}, true}, {"note", {{From::remarks}}, true}}),
          .footnote =
              "saved: of steps in turns, whole less without; exposed: what the compute stream of "
              "the whole step stood still for that; without its messages a pipeline has no bubble "
              "either"};
}

Section section() {
  return {
      .place = 1,
      .id = "ablation",
      .heading = "Without a part",
      .hint =
          "The same step without the transfers of one axis, of all, or without kernels, in turns "
          "with the whole one: what is saved is what they cost it, waiting included. Exposed is "
          "what the whole step's own timeline says. Without its messages a pipeline has no bubble "
          "either.",
      .columns = and_then(columns(), {{"checks", {{From::checks}}}})};
}

}  // namespace

Family family_ablation() {
  return {.name = names::kFamily,
          .derive = derive_ablation,
          .same_numbers = {facts::kRanks},
          .same_texts = {names::kWorkload, names::kPlan, names::kPart},
          .table = table(),
          .section = section()};
}

}  // namespace stepmark
