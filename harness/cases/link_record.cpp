// SPDX-License-Identifier: Apache-2.0
// What is declared goes into the record as it is; which of it bounds the case, or why none does.
#include "harness/cases/link_record.h"

#include "results/families/collective.h"
#include "results/record/common_facts.h"

namespace stepmark {

void add_link_reference(Record& record, const LinkReference& links) {
  if (links.cluster.empty()) return;
  record.texts.emplace_back(facts::kCluster, links.cluster);
  const auto add = [&](const char* name, double value) {
    if (value > 0) record.numbers.emplace_back(name, value);
  };
  add(facts::collective::kScaleUpGbPerS, links.scale_up_gb_per_s);
  add(facts::collective::kScaleOutGbPerS, links.scale_out_gb_per_s);
  add(facts::collective::kLinkGbPerS, links.gb_per_s);
  if (links.gb_per_s > 0) {
    record.texts.emplace_back(facts::collective::kLink, links.name);
  } else {
    record.texts.emplace_back(facts::collective::kLinkUnknown, links.unknown);
  }
}

}  // namespace stepmark
