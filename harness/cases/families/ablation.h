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
  // What is left out (parts_of_step), a case each; what there is not in the plan's step makes a
  // remark. Empty: all there is.
  std::vector<std::string> parts;
  YamlPlace place = {};  // of `workload`; no file: from the command line
  [[nodiscard]] NamedWorkload named_workload() { return {workload, place}; }
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

}  // namespace stepmark
