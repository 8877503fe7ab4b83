// SPDX-License-Identifier: Apache-2.0
// Facts, remarks and checks of several repetitions as those of one record. Internal to
// results/record.
#pragma once

#include <vector>

#include "results/record/record.h"

namespace stepmark {

using Repetitions = std::vector<const Record*>;

// Equal values stay; of others the largest of names in _max, the smallest of names in _min, the sum
// of counts and energies, the median of the rest.
void merge_numbers(const Repetitions& repetitions, Record& into);
// Different texts are joined by " | ".
void merge_texts(const Repetitions& repetitions, Record& into);
// Every remark that one of them has.
void merge_labels(const Repetitions& repetitions, Record& into);
// By name: passed when it passed in every repetition; else the details of those where it did not.
void merge_checks(const Repetitions& repetitions, Record& into);

}  // namespace stepmark
