// SPDX-License-Identifier: Apache-2.0
// What this binary was built from. The definition is generated at build time by
// cmake/StepmarkBuildInfo.cmake.
#pragma once

#include <string_view>

namespace stepmark {

struct BuildInfo {
  std::string_view version;       // of the project, "0.1.0"
  std::string_view git_revision;  // full hash, or "unknown" outside a git checkout
  bool git_dirty;                 // tracked files differ from that revision
  std::string_view build_type;    // "Release", ...
  std::string_view compiler;      // "GNU 12.2.0"
  std::string_view flags;         // compiler options that shape the code
};
[[nodiscard]] const BuildInfo& build_info();

}  // namespace stepmark
