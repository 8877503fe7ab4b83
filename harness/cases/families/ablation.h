// SPDX-License-Identifier: Apache-2.0
// What a suite, or a command line, may ask of family `ablation`.
#pragma once

#include <string>
#include <vector>

#include "harness/cases/entry.h"

namespace stepmark {

struct AblationEntry {
  std::string workload;  // a name, or the path of a file (names_a_file)
  // The first that is legal for the world is run.
  std::vector<std::string> plans;
  // Of which a case each; those along which the plan's ranks do not talk are left out with a
  // remark. Empty: all along which they do.
  std::vector<std::string> axes;
  YamlPlace place = {};  // of `workload`; no file: from the command line
  [[nodiscard]] NamedWorkload named_workload() { return {workload, place}; }
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

}  // namespace stepmark
