// SPDX-License-Identifier: Apache-2.0
// What the families of cases share. Internal to harness/cases.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "collectives/verify.h"
#include "core/control.h"
#include "harness/cases/case.h"

namespace stepmark {

// Records outcome failed with the check's detail; returns false when the check failed.
bool add_check(Record& record, std::string name, bool passed, std::string detail);

// A check of exact data: on failure the lowest rank with a fault tells what it saw. Collective.
bool add_verification(Record& record, Control& control, const std::string& name,
                      const Verification& verification);

// Runs the sampler and puts samples, warm-up count, stop reason and what the device said of itself
// meanwhile into the record. Returns which of the body's calls the samples are (Samples::calls).
std::vector<int> sample_into(Record& record, CaseContext& context, const Body& body);
// A further series of the same case, in seconds, under `rule`.
void sample_series(Record& record, CaseContext& context, std::string name, const StopRule& rule,
                   const Body& body);
// A series of what `body` wrote down in each call beside its own time, on every rank: those of
// `calls`, each the maximum over ranks.
void add_side_series(Record& record, CaseContext& context, std::string name,
                     const std::vector<double>& all, std::span<const int> calls);

// `rule` with this share of its budget.
[[nodiscard]] StopRule share_of(StopRule rule, double share);

// What the library says of a group, as texts: "topology", "algorithm", "protocol" and "channels" as
// they are, others as "library_NAME". Ranks that share a GPU make the record say nothing about
// performance.
void add_comm_facts(Record& record, const CommFacts& facts);

}  // namespace stepmark
