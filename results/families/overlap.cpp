// SPDX-License-Identifier: Apache-2.0
// Family `overlap`: what GEMMs and a collective beside them cost each other. Figures of several
// series are computed from their medians; their intervals take the worst ends of every series'
// interval, which is wider than 95 %.
#include "results/families/overlap.h"

#include <algorithm>
#include <array>
#include <vector>

#include "results/families/family.h"
#include "results/families/figures.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::overlap;

struct Times {
  double compute, comm, together;
};

// Figures of three times: monotone in every one but the shorter of compute and comm, so that the
// ends of the interval lie at corners.
Metric from_corners(std::string name, std::string unit, bool higher_is_better,
                    const std::array<Summary, 3>& times, double (*value)(const Times&)) {
  const auto& [compute, comm, together] = times;
  double lowest = value({compute.lower, comm.lower, together.lower});
  double highest = lowest;
  for (const double c : {compute.lower, compute.upper}) {
    for (const double m : {comm.lower, comm.upper}) {
      for (const double t : {together.lower, together.upper}) {
        const double corner = value({c, m, t});
        lowest = std::min(lowest, corner);
        highest = std::max(highest, corner);
      }
    }
  }
  return {.name = std::move(name),
          .unit = std::move(unit),
          .value = if_finite(value({compute.median, comm.median, together.median})),
          .lower = if_finite(lowest),
          .upper = if_finite(highest),
          .higher_is_better = higher_is_better};
}

// What needs all four series.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kOverlapFigures{
    {{"compute_alone", "s"},
     {"comm_alone", "s"},
     {"overlap_efficiency", "1"},
     {"exposed_comm", "s"},
     {"compute_slowdown", "1"},
     {"comm_slowdown", "1"},
     {"gflops_alone", "GFLOP/s"},
     {"gflops_together", "GFLOP/s"}}};

double efficiency(const Times& t) {
  return (t.compute + t.comm - t.together) / std::min(t.compute, t.comm);
}
double exposed(const Times& t) { return t.together - t.compute; }

void derive_overlap(Record& record, const Summary& time) {
  add(record, duration("together", "s", 1.0, time));
  const std::string missing = first_missing(
      record,
      {names::kComputeAloneS, names::kCommAloneS, names::kComputeTogetherS, names::kCommTogetherS});
  if (!missing.empty()) {
    for (const auto& [name, unit] : kOverlapFigures)
      add_broken(record, std::string(name), std::string(unit), no_samples(missing));
    return;
  }
  const Summary compute = *record.summary(names::kComputeAloneS);
  const Summary comm = *record.summary(names::kCommAloneS);
  const Summary compute_together = *record.summary(names::kComputeTogetherS);
  const Summary comm_together = *record.summary(names::kCommTogetherS);
  const std::array<Summary, 3> times{compute, comm, time};
  add(record, duration("compute_alone", "s", 1.0, compute));
  add(record, duration("comm_alone", "s", 1.0, comm));
  add(record, from_corners("overlap_efficiency", "1", true, times, efficiency));
  add(record, from_corners("exposed_comm", "s", false, times, exposed));
  add(record, slowdown("compute_slowdown", compute, compute_together));
  add(record, slowdown("comm_slowdown", comm, comm_together));
  const Fact flops = product(fact(record, names::kFlops), fact(record, names::kGemmCalls));
  add_rate(record, "gflops_alone", "GFLOP/s", flops, 1e-9, compute, "no arithmetic");
  add_rate(record, "gflops_together", "GFLOP/s", flops, 1e-9, compute_together, "no arithmetic");
  if (record.text(names::kCollective).empty()) return;
  const Fact bytes = product(fact(record, names::kSizeBytes), fact(record, names::kCommCalls));
  const char* ranks = record.number(names::kGroupRanks) ? names::kGroupRanks : facts::kRanks;
  add_bus_bandwidth(record, "busbw_alone", names::kCollective, ranks, bytes, comm);
  add_bus_bandwidth(record, "busbw_together", names::kCollective, ranks, bytes, comm_together);
}

std::string heading_of(const Record& record) {
  return "Overlap with GEMMs " + record.text(names::kGemmTitle);
}

Table table() {
  return {.heading = "Overlap with GEMMs",
          .heading_of = heading_of,
          .columns = {{"beside it", {{From::name}}, true},
                      {"GEMM", {{From::metric, "compute_alone", Show::seconds}}},
                      {"other", {{From::metric, "comm_alone", Show::seconds}}},
                      {"overlap", {{From::metric, "overlap_efficiency", Show::share}}},
                      {"GEMM x", {{From::metric, "compute_slowdown"}}},
                      {"other x", {{From::metric, "comm_slowdown"}}},
                      {"exposed", {{From::metric, "exposed_comm", Show::seconds}}},
                      {"check", {{From::checks}}, true},
                      {"note", {{From::remarks}}, true}},
          .footnote =
              "overlap: share of the shorter side that was hidden; x: slowdown of a side; "
              "exposed: time of both together less the GEMM's alone"};
}

Section section() {
  return {.place = 3,
          .id = "concurrent",
          .heading = "At the same time",
          .hint =
              "Overlap: GEMMs beside a collective; efficiency is the share of the shorter side "
              "that was hidden, exposed is the time together less the GEMM's alone.",
          .columns = {{"overlap", {{From::name}}, true},
                      {"GEMM", {{From::text, names::kGemmTitle}}, true},
                      {"alone", {{From::metric, "compute_alone", Show::seconds}}},
                      {"other", {{From::metric, "comm_alone", Show::seconds}}},
                      {"together", {{From::metric, "together", Show::seconds}}},
                      {"efficiency", {{From::metric, "overlap_efficiency", Show::share}}},
                      {"GEMM slowdown", {{From::metric, "compute_slowdown"}}},
                      {"other slowdown", {{From::metric, "comm_slowdown"}}},
                      {"exposed", {{From::metric, "exposed_comm", Show::seconds}}},
                      {"checks", {{From::checks}}}}};
}

}  // namespace

Family family_overlap() {
  return {.name = names::kFamily,
          .derive = derive_overlap,
          .same_numbers = {names::kSizeBytes, facts::kRanks, names::kGroupRanks, names::kFlops,
                           names::kGemmCalls, names::kCommCalls, names::kOccupyS},
          .same_texts = {names::kCollective, facts::kDtype, names::kPriority, names::kGemm,
                         names::kWorkload, names::kPlan, names::kGroup, names::kCommDtype},
          .table = table(),
          .section = section()};
}

}  // namespace stepmark
