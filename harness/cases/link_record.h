// SPDX-License-Identifier: Apache-2.0
// Declared link rates as facts of a record. Internal to harness/cases. Names and meanings:
// docs/file-formats.md.
#pragma once

#include "harness/spec/link.h"
#include "results/record/record.h"

namespace stepmark {

// Nothing without a cluster: who names none is told nothing about its links.
void add_link_reference(Record& record, const LinkReference& links);

}  // namespace stepmark
