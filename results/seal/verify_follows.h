// SPDX-License-Identifier: Apache-2.0
// The last part of verifying: the files that can be made again (verdicts, page), and those that
// were agreed, of which the lines are known. Internal to results/seal.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "results/seal/archive.h"
#include "results/seal/verify.h"

namespace stepmark {

// What is known of a bundle whose files were looked at.
struct CheckedBundle {
  const std::vector<PlacedMember>& members;
  const Manifest& manifest;
  const EvidenceViews& views;
  bool same_build = false;             // figures, verdicts and page must come out alike
  const std::set<std::string>& wrong;  // files whose size or hash is not the signed one
  const std::map<std::string, Run>& runs;
};

// A file that must be `expected` to the byte; where not, a problem in `out`.
void require_same(const CheckedBundle& bundle, const std::string& name, const std::string& expected,
                  BundleVerification& out);
void verify_agreed(const CheckedBundle& bundle, BundleVerification& out);
// Of a bundle whose journals are all intact. Fills `out.runs` and `out.decision`.
void verify_verdicts_and_page(const CheckedBundle& bundle, BundleVerification& out);

}  // namespace stepmark
