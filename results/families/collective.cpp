// SPDX-License-Identifier: Apache-2.0
// Family `collective`: bandwidths and latency of one collective by itself.
#include "results/families/collective.h"

#include <fmt/format.h>

#include "core/number_text.h"
#include "core/units.h"
#include "results/families/family.h"
#include "results/families/figures.h"
#include "results/normalise/rates.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::collective;

constexpr double kMicro = 1e-6;

// Only of a record that says what is declared. A share over 1 is no error: networks that reduce
// move less than the count assumes.
void add_link_share(Record& record) {
  const Metric* busbw = record.metric("busbw");
  const std::string unknown = record.text(names::kLinkUnknown);
  const auto link = positive(record, names::kLinkGbPerS);
  if (busbw == nullptr || (!link && unknown.empty())) return;
  if (!link || !busbw->value) {
    add(record, not_available("link_share", "1", link ? busbw->note : unknown));
    return;
  }
  Metric share = metric_of(normalise::link_share({busbw->value, busbw->lower, busbw->upper}, link));
  if (share.value) {
    share.note = fmt::format("of {} GB/s, declared for {} links", number_text("{:g}", *link),
                             record.text(names::kLink));
  }
  add(record, std::move(share));
}

void derive_collective(Record& record, const Summary& time) {
  const Fact size = fact(record, names::kSizeBytes);
  add_rate(record, "algbw", "GB/s", size, 1 / kGB, time, "moves no data");
  add_bus_bandwidth(record, "busbw", names::kCollective, facts::kRanks, size, time);
  add_link_share(record);
  add(record, duration("latency", "us", kMicro, time));
  // Where a sample is a single call it is isolated itself.
  if (const Summary* isolated = usable_summary(record, names::kIsolatedS)) {
    add(record, duration("isolated", "us", kMicro, Summary(*isolated)));
  } else if (record.number(names::kCallsPerSample) == 1.0) {
    add(record, duration("isolated", "us", kMicro, time));
  }
  if (const auto first_s = positive(record, names::kFirstCallS)) {
    add(record, figure("first_call", "us", *first_s / kMicro,
                       "once: connections are set up; checked data", false));
  }
}

std::string heading_of(const Record& record) {
  const std::string op = record.text(names::kOp);
  const std::string placement = record.text(names::kPlacement);
  return fmt::format("{} {}{}{}{} on {} ranks", record.text(names::kCollective),
                     record.text(facts::kDtype), op.empty() ? "" : " " + op,
                     placement.empty() ? "" : ", ", placement,
                     number_text("{}", record.number(facts::kRanks).value_or(0)));
}

Table table() {
  return {.heading = "Collectives",
          .heading_of = heading_of,
          .sorted_by = names::kSizeBytes,
          .columns = {{"size", {{From::number, names::kSizeBytes, Show::bytes}}},
                      {"time", {{From::median}}},
                      {"±95 %", {{From::interval}}},
                      {"p99", {{From::p99}}},
                      {"algbw GB/s", {{From::metric, "algbw"}}},
                      {"busbw GB/s", {{From::metric, "busbw"}}},
                      {"link", {{From::metric, "link_share", Show::share}}},
                      {"isolated", {{From::metric, "isolated", Show::microseconds}}},
                      {"samples", {{From::samples}}},
                      {"check", {{From::checks}}, true},
                      {"note", {{From::remarks}}, true}}};
}

Section section() {
  return {.place = 2,
          .id = "collectives",
          .heading = "Collectives",
          .hint =
              "Against message size, both axes logarithmic; bands are 95 % intervals of the "
              "median. Sizes and bus bandwidth as nccl-tests defines them; values are per "
              "direction. A dashed level is the rate that the cluster's file declares for a "
              "link of one accelerator; “of link” is N/A where none is declared, or where traffic "
              "is spread over links of both kinds.",
          .curves = {{.against = names::kSizeBytes,
                      .apart = {names::kCollective, facts::kDtype, names::kOp},
                      .line = names::kPlacement,
                      .dashed = names::kInPlace,
                      .figures = {{.metric = "busbw",
                                   .title = "bus bandwidth, GB/s (higher is better)",
                                   .unit = "GB/s",
                                   .levels = {{"scale-up links", names::kScaleUpGbPerS},
                                              {"scale-out links", names::kScaleOutGbPerS}}},
                                  {.metric = "latency",
                                   .title = "time per operation, µs (lower is better)",
                                   .unit = "µs"}}}},
          .figures = figure_columns({{"size", {{From::number, names::kSizeBytes, Show::bytes}}}},
                                    {{"algbw GB/s", {{From::metric, "algbw"}}},
                                     {"busbw GB/s", {{From::metric, "busbw"}}},
                                     {"of link", {{From::metric, "link_share", Show::share}}}})};
}

}  // namespace

Family family_collective() {
  return {.name = names::kFamily,
          .derive = derive_collective,
          .calls_per_sample = names::kCallsPerSample,
          .same_numbers = {names::kSizeBytes, facts::kRanks},
          .same_texts = {names::kCollective, facts::kDtype, names::kOp, names::kPlacement,
                         facts::kMode},
          .table = table(),
          .section = section()};
}

}  // namespace stepmark
