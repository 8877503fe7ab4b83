// SPDX-License-Identifier: Apache-2.0
// Line by line: hash, strict JSON, figures computed again from samples. A cut last line is passed
// over if its hash does not make it whole; any other damage needs accept_damaged and stays
// labelled. Then records go into the header's order and repetitions are merged.
#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/build_info.h"
#include "core/error.h"
#include "results/record/chain.h"
#include "results/record/flat_config.h"
#include "results/record/journal_limits.h"
#include "results/record/journal_lines.h"
#include "results/record/json_reader.h"
#include "results/record/merge.h"
#include "results/record/recompute.h"

namespace stepmark {

namespace {

// A later invocation may run elsewhere: what it says about the world must not vanish.
void note_changes(const RunHeader& first, const RunHeader& later, int line, Run& run) {
  for (const auto& fact : later.environment.facts) {
    const auto before = first.environment.get(fact.section, fact.name);
    if (fact.fingerprint && before != fact.value) {
      const auto what = later.repetition == 0 ? std::string("resumed")
                                              : fmt::format("repetition {}", later.repetition);
      run.warnings.push_back(
          fmt::format("line {}: {} in another environment: {} {} was '{}', is '{}'", line, what,
                      fact.section, fact.name, before, fact.value));
    }
  }
  if (first.config == later.config) {
    return;
  }
  if (const auto changed =
          first_difference(config_identity(first.config), config_identity(later.config))) {
    run.warnings.push_back(
        fmt::format("line {}: resumed with another configuration: {} = {}, is {}", line,
                    changed->key, shown_value(changed->a), shown_value(changed->b)));
  }
}

// "3, 5-8" for line numbers in rising order.
std::string ranges(const std::vector<int>& lines) {
  std::string out;
  for (std::size_t i = 0; i < lines.size();) {
    std::size_t last = i;
    while (last + 1 < lines.size() && lines[last + 1] == lines[last] + 1) {
      ++last;
    }
    out += fmt::format("{}{}", out.empty() ? "" : ", ", lines[i]);
    out += last > i ? fmt::format("-{}", lines[last]) : "";
    i = last + 1;
  }
  return fmt::format("line{} {}", lines.size() == 1 ? "" : "s", out);
}

class JournalParser {
 public:
  JournalParser(Run& run, const Derive& derive, const ReadOptions& options)
      : run_(run), derive_(derive), options_(options) {}

  // A line without its break. With accept_damaged, one that cannot be read is passed over.
  void line(std::string_view text, int number) {
    STEPMARK_REQUIRE(static_cast<std::size_t>(number) <= kMaxLines, "more than {} lines",
                     kMaxLines);
    STEPMARK_REQUIRE(text.size() <= kMaxLineBytes, "a line of {} bytes, at most {} are read",
                     text.size(), kMaxLineBytes);
    const bool damaged = number == 1 ? first_is_damaged(text) : !fits(text);
    if (damaged) {
      accept(number);
    }
    const auto chained = split_chained(text);
    hash_ = chained ? std::string(chained->hash) : hash_;
    try {
      parsed(text, number, damaged);
    } catch (const Error& error) {
      if (!damaged || number == 1) {
        throw;
      }
      run_.warnings.push_back(fmt::format("line {}: damaged, cannot be read and is left out: {}",
                                          number, error.message()));
    }
  }

  // Whether the hash of this line is that of its bytes and of the lines before.
  [[nodiscard]] bool fits(std::string_view text) const {
    if (!run_.hashed) {
      return true;
    }
    const auto chained = split_chained(text);
    return chained && chain_hash(hash_, chained->body) == chained->hash;
  }

  // The part of an unended last line that is a whole one: all of it, or all but a last byte that
  // was a line break before it was damaged.
  [[nodiscard]] std::optional<std::string_view> whole_part(std::string_view rest) const {
    for (const auto part : {rest, rest.substr(0, rest.size() - 1)}) {
      // Of the first line only a hash can tell; without hashes nothing can.
      if (run_.hashed && split_chained(part) && fits(part)) {
        return part;
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] const std::string& hash() const { return hash_; }

  // What can be said only when all lines are read.
  void finish() {
    if (!run_.hashed) {
      run_.warnings.push_back(
          fmt::format("no hashes (schema version {}, written by an older version of stepmark): a "
                      "change to the file would not be noticed",
                      run_.header.schema_version));
    }
    if (!recomputed_.empty()) {
      const auto& build = build_info();
      const bool own = run_.header.tool_version == build.version &&
                       run_.header.git_revision == build.git_revision;
      run_.warnings.push_back(fmt::format(
          "{}: summaries or metrics are not those of the samples; shown is what follows from the "
          "samples{}",
          ranges(recomputed_),
          own ? "" : " (another version of stepmark wrote them, and may have computed otherwise)"));
    }
    if (!retold_.empty()) {
      run_.warnings.push_back(fmt::format(
          "{}: figures are not those of the imported summaries, which have no intervals; shown is "
          "what follows from the summaries",
          ranges(retold_)));
    }
  }

 private:
  // Decides whether the journal has hashes at all.
  bool first_is_damaged(std::string_view text) {
    const bool has_hash = split_chained(text).has_value();
    // What has no version is no run line: said with more sense when the line is read.
    int version = has_hash ? kSchemaVersion : kOldestSchemaVersion;
    try {
      const auto json = parse_json(text);
      if (json.is_object() && json.contains("schema_version")) {
        version = JsonReader(json, "run").small_integer("schema_version");
      }
    } catch (const Error& error) {
      STEPMARK_REQUIRE(has_hash, "no journal, or its first line is damaged: {}", error.message());
    }
    STEPMARK_REQUIRE(version >= kOldestSchemaVersion && version <= kSchemaVersion,
                     "schema version {} is not supported, this build reads versions {} to {}",
                     version, kOldestSchemaVersion, kSchemaVersion);
    run_.hashed = has_hash || version >= kFirstHashedVersion;
    return !fits(text) || (has_hash && version < kFirstHashedVersion);
  }

  void accept(int number) {
    const auto intact = number == 1   ? std::string("nothing before it")
                        : number == 2 ? std::string("line 1 is intact")
                                      : fmt::format("lines 1 to {} are intact", number - 1);
    constexpr const char* kWhat =
        "damaged: it does not fit its hash: it was changed, or lines before it were changed, "
        "removed, inserted or moved";
    STEPMARK_REQUIRE(options_.accept_damaged,
                     "{}; {}; compare and report read on with --accept-damaged", kWhat, intact);
    run_.damaged_lines.push_back(number);
    run_.warnings.push_back(
        fmt::format("line {}: {}; read because of --accept-damaged", number, kWhat));
  }

  void parsed(std::string_view text, int number, bool damaged) {
    auto json = parse_json(text);
    STEPMARK_REQUIRE(json.is_object() && json.contains("type") && json["type"].is_string(),
                     "expected an object with a 'type'");
    if (run_.hashed) {
      json.erase("chain");
    }
    const auto type = json["type"].get<std::string>();
    STEPMARK_REQUIRE((type == "run") == (number == 1), "found a '{}' line, expected {}", type,
                     number == 1 ? "the run line first" : "only one run line");
    if (type == "run") {
      run_.header = header_from_json(json);
    } else if (type == "resume") {
      resume(header_from_json(json), number);
    } else if (type == "record") {
      json.erase("type");
      auto record = record_from_json(json);
      json = nullptr;  // samples once are enough
      recompute_figures(record, number);
      if (damaged) {
        record.labels.push_back(fmt::format("damaged: line {}", number));
      }
      add(std::move(record));
    } else if (type == "end") {
      end(json);
    } else {
      throw Error(ExitCode::kUsage,
                  fmt::format("type '{}', expected run | record | resume | end", type));
    }
  }

  void recompute_figures(Record& record, int number) {
    const auto result = recompute(record, derive_);
    if (result == Recomputed::differs) {
      (record.is_summary_only() ? retold_ : recomputed_).push_back(number);
    } else if (result == Recomputed::impossible) {
      run_.warnings.push_back(fmt::format(
          "line {}: figures are as the file has them: no samples to follow from", number));
    }
  }

  void resume(const RunHeader& header, int number) {
    STEPMARK_REQUIRE(header.schema_version == run_.header.schema_version,
                     "schema version {} in a journal of version {}", header.schema_version,
                     run_.header.schema_version);
    note_changes(run_.header, header, number, run_);
    std::set<std::string> known(run_.header.cases.begin(), run_.header.cases.end());
    for (const auto& id : header.cases) {
      if (known.insert(id).second) {
        run_.header.cases.push_back(id);
      }
    }
    run_.header.repetitions = header.repetitions;
    run_.last_start = {.repetition = header.repetition, .written = {}};
    run_.ended = false;
    run_.exit_code = -1;
  }

  void add(Record record) {
    const auto key = std::pair(record.case_id, record.repetition);
    run_.last_start.written.insert(key);
    const auto [known, added] = place_.emplace(key, run_.records.size());
    if (added) {
      STEPMARK_REQUIRE(run_.records.size() < kMaxCases, "more than {} cases", kMaxCases);
      run_.records.push_back(std::move(record));
    } else {
      run_.records[known->second] = std::move(record);
    }
  }

  void end(const nlohmann::json& json) {
    JsonReader in(json, "end");
    static_cast<void>(in.text("type"));
    static_cast<void>(in.text("reason"));
    run_.exit_code = in.small_integer("exit_code");
    run_.ended = true;
    in.finish();
  }

  Run& run_;
  const Derive& derive_;
  ReadOptions options_;
  std::string hash_;  // of the last line
  // Of each case and repetition among the records.
  std::map<std::pair<std::string, int>, std::size_t> place_;
  std::vector<int> recomputed_;  // lines
  std::vector<int> retold_;      // of imported records without samples
};

void order_by_header(Run& run) {
  std::unordered_map<std::string, std::size_t> places;
  for (const auto& id : run.header.cases) {
    places.emplace(id, places.size());
  }
  for (const auto& record : run.records) {
    places.emplace(record.case_id, places.size());  // not asked for: behind, each case together
  }
  const auto place = [&](const Record& record) { return places.at(record.case_id); };
  std::stable_sort(run.records.begin(), run.records.end(), [&](const Record& a, const Record& b) {
    return std::pair(place(a), a.repetition) < std::pair(place(b), b.repetition);
  });
}

// One record per case; what it was made of goes to the run's parts.
void merge_by_case(Run& run) {
  std::vector<Record> lines = std::exchange(run.records, {});
  for (auto first = lines.begin(); first != lines.end();) {
    const auto last = std::find_if(
        first, lines.end(), [&](const Record& record) { return record.case_id != first->case_id; });
    if (last - first == 1) {
      run.records.push_back(std::move(*first));
    } else {
      run.records.push_back(merge_repetitions(std::span(first, last)));
      std::move(first, last, std::back_inserter(run.parts));
    }
    first = last;
  }
}

}  // namespace

const Record* Run::find(std::string_view case_id) const {
  const auto found = std::find_if(records.begin(), records.end(),
                                  [&](const Record& r) { return r.case_id == case_id; });
  return found == records.end() ? nullptr : &*found;
}

std::vector<const Record*> Run::repetitions(std::string_view case_id) const {
  std::vector<const Record*> out;
  for (const auto& part : parts) {
    if (part.case_id == case_id) {
      out.push_back(&part);
    }
  }
  if (const auto* only = find(case_id); out.empty() && only != nullptr) {
    out.push_back(only);
  }
  return out;
}

Run::ByRepetition Run::by_repetition() const {
  ByRepetition out;
  std::unordered_set<std::string_view> merged;  // what stands for several is not one of them
  for (const auto& part : parts) {
    out[{part.case_id, part.repetition}] = &part;
    merged.insert(part.case_id);
  }
  for (const auto& record : records) {
    if (!merged.contains(record.case_id)) {
      out[{record.case_id, record.repetition}] = &record;
    }
  }
  return out;
}

std::vector<std::string> Run::missing() const {
  std::unordered_map<std::string_view, int> done;
  for (const auto& [key, record] : by_repetition()) {
    const bool has_result = record->outcome == Outcome::ok || record->outcome == Outcome::skipped;
    done[key.first] += has_result && key.second <= header.repetitions ? 1 : 0;
  }
  std::vector<std::string> out;
  std::copy_if(header.cases.begin(), header.cases.end(), std::back_inserter(out),
               [&](const std::string& id) { return done[id] < header.repetitions; });
  return out;
}

std::string_view integrity_of(const Run& run) {
  return !run.damaged_lines.empty() ? "damaged" : run.hashed ? "intact" : "no hashes";
}

Run parse_lines(std::string_view content, const std::string& path, const Derive& derive,
                const ReadOptions& options, JournalTail* tail) {
  STEPMARK_REQUIRE(!content.empty(),
                   "{}: empty file, expected a journal (FILE.smk of stepmark run)", path);
  Run run{.path = path};
  JournalParser parser(run, derive, options);
  JournalTail end;
  for (int number = 1; end.bytes < content.size(); ++number) {
    const auto rest = content.substr(end.bytes);
    const auto line_break = rest.find('\n');
    end.break_missing = line_break == std::string_view::npos;
    const auto text = end.break_missing ? parser.whole_part(rest) : rest.substr(0, line_break);
    if (!text) {
      STEPMARK_REQUIRE(number > 1,
                       "{}:1: the first line is cut off: the run ended while it began, and nothing "
                       "was measured; there is nothing to show and nothing to resume: measure with "
                       "another --out (this file can be removed)",
                       path);
      run.warnings.push_back(fmt::format("line {}: incomplete last line ignored", number));
      end.break_missing = false;
      break;
    }
    try {
      parser.line(*text, number);
    } catch (const Error& error) {
      throw Error(ExitCode::kUsage, fmt::format("{}:{}: {}", path, number, error.message()));
    }
    end.bytes += text->size() + (end.break_missing ? 0 : 1);
    run.extent.lines = number;
    if (end.break_missing) {
      run.warnings.push_back(
          fmt::format("line {}: the last line's break is missing or damaged; the line is whole and "
                      "was read",
                      number));
      break;
    }
  }
  parser.finish();
  end.hash = parser.hash();
  run.extent.bytes = static_cast<std::int64_t>(end.bytes);
  run.extent.chain = end.hash;
  if (tail != nullptr) {
    *tail = end;
  }
  order_by_header(run);
  merge_by_case(run);
  return run;
}

}  // namespace stepmark
