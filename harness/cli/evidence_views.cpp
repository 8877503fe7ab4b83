// SPDX-License-Identifier: Apache-2.0
// Figures, verdicts and the page as the other commands make them, from runs in memory.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/build_info.h"
#include "harness/cli/evidence.h"
#include "harness/measure/file_hash.h"
#include "results/compare/compare.h"
#include "results/families/derive.h"
#include "results/views/json/comparison_json.h"
#include "results/views/report/report.h"

namespace stepmark {

namespace {

nlohmann::json verdicts_of(const std::vector<std::vector<Run>>& sides, double margin) {
  std::vector<RunSide> named;
  for (const auto& side : sides) {
    std::vector<std::string> files;
    for (const Run& run : side) files.push_back(run.path);
    named.push_back({.label = fmt::format("{}", fmt::join(files, ",")), .runs = side});
  }
  CompareOptions how;
  how.margin = margin;
  return to_json(compare(named, how));
}

}  // namespace

const EvidenceViews& evidence_views() {
  static const EvidenceViews views{
      .derive = derive,
      .page = [](std::span<const Run> runs) { return report_html(runs); },
      .verdicts = verdicts_of};
  return views;
}

SealedBy sealed_by_this() {
  const auto& build = build_info();
  return {.tool_version = std::string(build.version),
          .git_revision = std::string(build.git_revision),
          .build_type = std::string(build.build_type),
          .binary_sha256 = sha256_of_file("/proc/self/exe"),
          .dirty = build.git_dirty};
}

}  // namespace stepmark
