// SPDX-License-Identifier: Apache-2.0
// Facts of machine, build, variables and backend in one list. The fingerprint holds what makes two
// runs another machine or another build type, not the source: builds are what a comparison is often
// about.
#include "harness/measure/environment_capture.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "core/build_info.h"
#include "core/sha256.h"
#include "harness/measure/machine_facts.h"
#include "harness/measure/process_start.h"

namespace stepmark {
namespace {

// Two builds are what a comparison is often about, so the source is no part of the fingerprint; how
// it was compiled is.
std::vector<EnvironmentFact> build_facts() {
  const BuildInfo& build = build_info();
  const auto fact = [](const char* name, std::string_view value, bool fingerprint) {
    return EnvironmentFact{
        .section = "build", .name = name, .value = std::string(value), .fingerprint = fingerprint};
  };
  return {fact("version", build.version, false),
          fact("git revision", build.git_revision, false),
          fact("modified sources", build.git_dirty ? "yes" : "no", false),
          fact("build type", build.build_type, true),
          fact("compiler", build.compiler, true),
          fact("compiler flags", build.flags, true),
          fact("binary SHA-256", sha256_of_file("/proc/self/exe"), false)};
}

}  // namespace

Environment capture_environment(std::vector<EnvironmentFact> extra) {
  Environment environment;
  for (auto facts : {machine_facts(), build_facts(), process_start().variables, std::move(extra)}) {
    std::move(facts.begin(), facts.end(), std::back_inserter(environment.facts));
  }
  return environment;
}

}  // namespace stepmark
