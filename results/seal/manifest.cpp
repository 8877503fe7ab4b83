// SPDX-License-Identifier: Apache-2.0
// Strict in both directions: a manifest is read only if it is written again as the same bytes.
#include "results/seal/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "results/record/json_reader.h"
#include "results/record/json_text.h"

namespace stepmark {

namespace {

constexpr int kVersion = 1;

nlohmann::json to_json(const SealedBy& by) {
  return {{"tool_version", by.tool_version},
          {"git_revision", by.git_revision},
          {"build_type", by.build_type},
          {"dirty", by.dirty},
          {"binary_sha256", by.binary_sha256}};
}

SealedBy sealed_by_from(const nlohmann::json& json) {
  JsonReader in(json, "manifest.sealed_by");
  SealedBy by;
  by.tool_version = in.text("tool_version");
  by.git_revision = in.text("git_revision");
  by.build_type = in.text("build_type");
  by.dirty = in.boolean("dirty");
  by.binary_sha256 = in.text("binary_sha256");
  in.finish();
  return by;
}

ManifestFile file_from(const nlohmann::json& json, std::size_t place) {
  JsonReader in(json, fmt::format("manifest.files[{}]", place));
  ManifestFile file;
  file.name = in.text("name");
  file.bytes = in.integer("bytes");
  file.sha256 = in.text("sha256");
  in.finish();
  return file;
}

ManifestJournal journal_from(const nlohmann::json& json, std::size_t place) {
  JsonReader in(json, fmt::format("manifest.journals[{}]", place));
  ManifestJournal journal;
  journal.file = in.text("file");
  journal.run_id = in.text("run_id");
  journal.lines = in.integer("lines");
  journal.chain = in.text("chain");
  journal.ended = in.boolean("ended");
  in.finish();
  return journal;
}

ManifestComparison comparison_from(const nlohmann::json& json) {
  JsonReader in(json, "manifest.comparison");
  ManifestComparison comparison;
  comparison.margin = in.number("margin");
  for (const auto& side : in.array("sides")) {
    if (!side.is_array()) in.fail("sides", "lists of journals");
    auto& files = comparison.sides.emplace_back();
    for (const auto& file : side) {
      if (!file.is_string()) in.fail("sides", "lists of journals");
      files.push_back(file.get<std::string>());
    }
  }
  in.finish();
  return comparison;
}

}  // namespace

Manifest Manifest::from_text(std::string_view text) {
  const auto json = parse_json(text);
  JsonReader in(json, "manifest");
  if (in.integer("stepmark_evidence") != kVersion) {
    in.fail("stepmark_evidence", fmt::format("{}: a newer stepmark made this bundle", kVersion));
  }
  Manifest manifest;
  manifest.redacted = in.boolean("redacted");
  manifest.sealed_by = sealed_by_from(in.object("sealed_by"));
  for (const auto& one : in.array("files")) {
    manifest.files.push_back(file_from(one, manifest.files.size()));
  }
  for (const auto& one : in.array("journals")) {
    manifest.journals.push_back(journal_from(one, manifest.journals.size()));
  }
  if (in.has("comparison")) manifest.comparison = comparison_from(in.object("comparison"));
  in.finish();
  STEPMARK_REQUIRE(manifest.text() == text, "manifest: not written as stepmark writes it");
  return manifest;
}

std::string Manifest::text() const {
  nlohmann::json json{{"stepmark_evidence", kVersion},
                      {"redacted", redacted},
                      {"sealed_by", to_json(sealed_by)},
                      {"files", nlohmann::json::array()},
                      {"journals", nlohmann::json::array()}};
  for (const auto& one : files) {
    json["files"].push_back({{"name", one.name}, {"bytes", one.bytes}, {"sha256", one.sha256}});
  }
  for (const auto& one : journals) {
    json["journals"].push_back({{"file", one.file},
                                {"run_id", one.run_id},
                                {"lines", one.lines},
                                {"chain", one.chain},
                                {"ended", one.ended}});
  }
  if (comparison) {
    json["comparison"] = {{"margin", comparison->margin}, {"sides", comparison->sides}};
  }
  return json_text(json, {.indent = 1}) + "\n";
}

const ManifestFile* Manifest::file(std::string_view name) const {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const ManifestFile& one) { return one.name == name; });
  return found == files.end() ? nullptr : &*found;
}

}  // namespace stepmark
