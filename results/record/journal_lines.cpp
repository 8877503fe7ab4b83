// SPDX-License-Identifier: Apache-2.0
// The header as JSON and back, strictly: an unknown key is an error, since a reader that passes
// over what it does not know would show half of a newer journal.
#include "results/record/journal_lines.h"

#include "core/error.h"
#include "results/record/journal_limits.h"
#include "results/record/json_reader.h"
#include "results/record/json_text.h"

namespace stepmark {

nlohmann::json header_json(const RunHeader& h, std::string_view type) {
  nlohmann::json out = {{"type", type},
                        {"schema_version", h.schema_version},
                        {"run_id", h.run_id},
                        {"started", h.started},
                        {"tool_version", h.tool_version},
                        {"git_revision", h.git_revision},
                        {"build_type", h.build_type},
                        {"dirty", h.dirty},
                        {"command", h.command},
                        {"suite", h.suite},
                        {"backend", h.backend},
                        {"ranks", h.ranks},
                        {"config", h.config},
                        {"environment", to_json(h.environment)},
                        {"cases", h.cases}};
  if (h.repetitions != 1) {
    out["repetitions"] = h.repetitions;
  }
  if (h.repetition != 0) {
    out["repetition"] = h.repetition;
  }
  return out;
}

namespace {

// A count that is absent from a line has a default.
int count_or(JsonReader& in, std::string_view key, int otherwise) {
  if (!in.has(key)) {
    return otherwise;
  }
  const int value = in.small_integer(key);
  STEPMARK_REQUIRE(value >= 1 && value <= kMaxRepetitions, "{}: found {}, expected 1 to {}",
                   in.place(key), value, kMaxRepetitions);
  return value;
}

}  // namespace

RunHeader header_from_json(const nlohmann::json& json) {
  JsonReader in(json, "run");
  RunHeader h;
  h.schema_version = in.small_integer("schema_version");
  STEPMARK_REQUIRE(h.schema_version >= kOldestSchemaVersion && h.schema_version <= kSchemaVersion,
                   "schema version {} is not supported, this build reads versions {} to {}",
                   h.schema_version, kOldestSchemaVersion, kSchemaVersion);
  static_cast<void>(in.text("type"));
  h.run_id = in.text("run_id");
  h.started = in.text("started");
  h.tool_version = in.text("tool_version");
  h.git_revision = in.text("git_revision");
  h.build_type = in.text("build_type");
  h.dirty = in.boolean("dirty");
  h.command = in.texts("command");
  h.suite = in.text("suite");
  h.backend = in.text("backend");
  h.ranks = in.small_integer("ranks");
  STEPMARK_REQUIRE(h.ranks > 0, "run.ranks: found {}, expected a positive number", h.ranks);
  h.config = in.any("config");
  h.environment = environment_from_json(in.array("environment"));
  h.cases = in.texts("cases");
  h.repetitions = count_or(in, "repetitions", 1);
  h.repetition = count_or(in, "repetition", 0);
  STEPMARK_REQUIRE(h.cases.size() <= kMaxCases, "run.cases: {} cases, at most {} are read",
                   h.cases.size(), kMaxCases);
  in.finish();
  return h;
}

std::string compact(const nlohmann::json& json) { return json_text(json); }

nlohmann::json record_line_json(const Record& record) {
  auto json = to_json(record);
  json["type"] = "record";
  return json;
}

}  // namespace stepmark
