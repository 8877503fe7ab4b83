// SPDX-License-Identifier: Apache-2.0
// Credits need a fee, which nobody publishes: a draft has them as a comment.
#include "results/contract/service_level.h"

#include <fmt/format.h>

#include "core/error.h"
#include "results/contract/terms_parts.h"

namespace stepmark {
namespace {

ServiceLevel read(YamlMap map, std::string_view path) {
  ServiceLevel out{.file = std::string(path)};
  out.name = map.required_string("sla");
  out.provider = map.required_string("provider");
  out.service = map.required_string("service");
  out.scope = map.optional_string("scope", "");
  out.source = map.required_string("source");
  out.version = map.optional_string("version", "");
  out.date = map.required_string("date");
  if (!parse_utc_day(out.date)) {
    map.fail("date", fmt::format("date: found '{}', expected a day such as 2026-11-24", out.date));
  }
  out.verified = map.optional_bool("verified", true);
  if (map.has("objective")) out.objective = required_share(map, "objective");
  if (map.has("unit")) out.unit = read_unit(map, "unit");
  out.tiers = read_tiers(map);
  const bool below =
      out.tiers.empty() || (out.objective && out.tiers.front().at_least < *out.objective);
  if (!below) {
    map.fail("tiers", "tiers: the first begins at or above the objective, where nothing is owed");
  }
  out.notes = map.optional_strings("notes");
  map.finish();
  return out;
}

std::string percent(std::int64_t share) {
  return fmt::format("{}%", static_cast<double>(share) / (static_cast<double>(kWhole) / 100));
}

std::string comment(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return fmt::format("# {}\n", text);
}

std::string credits_comment(const ServiceLevel& level) {
  if (level.tiers.empty()) return comment("Its credits are not known: no tiers were found.");
  std::string out =
      comment("Its credits, once there is a 'fee' (cap and rounding are yours to fill in):");
  out += comment("credits:") + comment("  tiers:");
  for (const CreditTier& tier : level.tiers) {
    out += comment(fmt::format("    - {{uptime_at_least: {}, credit: {}}}", percent(tier.at_least),
                               percent(tier.share)));
  }
  return out + comment("  cap: 100%") + comment("  rounding: {to: 0.01, mode: half-up}");
}

}  // namespace

ServiceLevel read_service_level(const std::string& path) {
  return read(YamlDocument::read_file(path).map(), path);
}

ServiceLevel read_service_level_text(std::string_view text, std::string_view name) {
  return read(YamlDocument::read_text(text, name).map(), name);
}

std::string service_level_yaml(const ServiceLevel& level) {
  STEPMARK_REQUIRE(level.objective,
                   "{}: {} publishes no availability that was found (looked on {}): write "
                   "'availability' into the terms yourself",
                   level.file, level.provider, level.date);
  std::string out = comment(fmt::format("What {} publishes of {}, {}: {}; read on {}{}.",
                                        level.provider, level.service, level.scope, level.source,
                                        level.date, level.verified ? "" : ", not verified"));
  if (!level.version.empty()) out += comment("Version: " + level.version);
  for (const std::string& note : level.notes) out += comment(note);
  out += comment(
      "It counts what cannot be reached as down: a slow GPU or fabric is what floors are for.");
  out +=
      fmt::format("availability:\n  objective: {}\n  unit: {}\n  maintenance: {{mode: counts}}\n",
                  percent(*level.objective), level.unit == CreditUnit::node ? "node" : "order");
  return out + credits_comment(level);
}

}  // namespace stepmark
