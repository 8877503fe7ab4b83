// SPDX-License-Identifier: Apache-2.0
// Family `barrier`: the time of one barrier of all ranks. It moves nothing, so there is no
// bandwidth; what it costs is what every synchronised step of a program pays at least.
#include "results/families/barrier.h"

#include "results/families/family.h"
#include "results/families/figures.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::barrier;

constexpr double kMicro = 1e-6;

void derive_barrier(Record& record, const Summary& time) {
  add(record, duration("barrier", "us", kMicro, time));
}

std::vector<Column> columns() {
  return {{"barrier", {{From::name}}, true},
          {"ranks", {{From::number, facts::kRanks}}},
          {"time", {{From::median}}},
          {"±95 %", {{From::interval}}},
          {"p99", {{From::p99}}},
          {"samples", {{From::samples}}},
          {"check", {{From::checks}}, true}};
}

}  // namespace

Family family_barrier() {
  return {.name = names::kFamily,
          .derive = derive_barrier,
          .calls_per_sample = names::kCalls,
          .same_numbers = {names::kCalls, facts::kRanks},
          .same_texts = {facts::kLibrary},
          .table = {.heading = "Barriers", .columns = columns()},
          .section = {.place = 6,
                      .id = "barriers",
                      .heading = "Barriers",
                      .hint = "Time until all ranks came, of calls back to back.",
                      .columns = columns(),
                      .figures = columns()}};
}

}  // namespace stepmark
