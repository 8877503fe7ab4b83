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

// Lists of texts, one in the other.
std::vector<std::vector<std::string>> sides_from(JsonReader& in) {
  std::vector<std::vector<std::string>> sides;
  for (const auto& side : in.array("sides")) {
    if (!side.is_array()) in.fail("sides", "lists of journals");
    auto& files = sides.emplace_back();
    for (const auto& file : side) {
      if (!file.is_string()) in.fail("sides", "lists of journals");
      files.push_back(file.get<std::string>());
    }
  }
  return sides;
}

std::vector<std::string> texts_from(JsonReader& in, const char* key) {
  std::vector<std::string> texts;
  for (const auto& text : in.array(key)) {
    if (!text.is_string()) in.fail(key, "texts");
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

ManifestComparison comparison_from(const nlohmann::json& json) {
  JsonReader in(json, "manifest.comparison");
  ManifestComparison comparison;
  comparison.margin = in.number("margin");
  comparison.sides = sides_from(in);
  in.finish();
  return comparison;
}

ManifestAcross across_from(const nlohmann::json& json) {
  JsonReader in(json, "manifest.across");
  ManifestAcross across;
  across.margin = in.number("margin");
  across.day = in.text("day");
  across.names = texts_from(in, "names");
  across.sides = sides_from(in);
  if (across.names.size() != across.sides.size()) in.fail("names", "one for each of the sides");
  in.finish();
  return across;
}

ManifestAgreed agreed_from(const nlohmann::json& json, std::size_t place) {
  JsonReader in(json, fmt::format("manifest.agreed[{}]", place));
  const auto kind = agreed_kind(in.text("kind"));
  if (!kind) in.fail("kind", "terms, prices or mix");
  ManifestAgreed agreed{.kind = *kind, .lines = texts_from(in, "lines")};
  in.finish();
  return agreed;
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
  if (in.has("across")) manifest.across = across_from(in.object("across"));
  if (in.has("agreed")) {
    for (const auto& one : in.array("agreed")) {
      manifest.agreed.push_back(agreed_from(one, manifest.agreed.size()));
    }
  }
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
  if (across) {
    json["across"] = {{"margin", across->margin},
                      {"day", across->day},
                      {"names", across->names},
                      {"sides", across->sides}};
  }
  for (const auto& one : agreed) {
    json["agreed"].push_back({{"kind", name_of(one.kind)}, {"lines", one.lines}});
  }
  return json_text(json, {.indent = 1}) + "\n";
}

const ManifestFile* Manifest::file(std::string_view name) const {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const ManifestFile& one) { return one.name == name; });
  return found == files.end() ? nullptr : &*found;
}

const ManifestAgreed* Manifest::find(AgreedKind kind) const {
  const auto found = std::find_if(agreed.begin(), agreed.end(),
                                  [&](const ManifestAgreed& one) { return one.kind == kind; });
  return found == agreed.end() ? nullptr : &*found;
}

}  // namespace stepmark
