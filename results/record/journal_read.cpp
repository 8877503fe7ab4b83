// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "results/record/journal_lines.h"
#include "results/record/json_reader.h"
#include "results/record/merge.h"

namespace stepmark {

namespace {

// A later invocation may run elsewhere: what it says about the world must not vanish.
void note_changes(const RunHeader& first, const RunHeader& later, int line, Run& run) {
  for (const auto& fact : later.environment.facts) {
    const auto before = first.environment.get(fact.group, fact.name);
    if (fact.fingerprint && before != fact.value) {
      const auto what = later.repetition == 0 ? std::string("resumed")
                                              : fmt::format("repetition {}", later.repetition);
      run.warnings.push_back(
          fmt::format("line {}: {} in another environment: {} {} was '{}', is '{}'", line, what,
                      fact.group, fact.name, before, fact.value));
    }
  }
  if (first.config != later.config) {
    run.warnings.push_back(fmt::format("line {}: resumed with another configuration", line));
  }
}

class JournalParser {
 public:
  explicit JournalParser(Run& run) : run_(run) {}

  void line(std::string_view text, int number) {
    auto json = nlohmann::json::parse(text, nullptr, false);
    STEPMARK_REQUIRE(!json.is_discarded(), "not a JSON object, expected a journal line");
    STEPMARK_REQUIRE(json.is_object() && json.contains("type") && json["type"].is_string(),
                     "expected an object with a 'type'");
    const auto type = json["type"].get<std::string>();
    STEPMARK_REQUIRE((type == "run") == (number == 1), "found a '{}' line, expected {}", type,
                     number == 1 ? "the run line first" : "only one run line");
    if (type == "run") {
      run_.header = header_from_json(json);
    } else if (type == "resume") {
      resume(header_from_json(json), number);
    } else if (type == "record") {
      json.erase("type");
      add(record_from_json(json));
    } else if (type == "end") {
      end(json);
    } else {
      throw Error(ExitCode::kUsage,
                  fmt::format("type '{}', expected run | record | resume | end", type));
    }
  }

 private:
  void resume(const RunHeader& header, int number) {
    note_changes(run_.header, header, number, run_);
    std::set<std::string> known(run_.header.cases.begin(), run_.header.cases.end());
    for (const auto& id : header.cases) {
      if (known.insert(id).second) {
        run_.header.cases.push_back(id);
      }
    }
    run_.header.repetitions = header.repetitions;
    run_.ended = false;
    run_.exit_code = -1;
  }

  void add(Record record) {
    const auto same =
        std::find_if(run_.records.begin(), run_.records.end(), [&](const Record& existing) {
          return existing.case_id == record.case_id && existing.repetition == record.repetition;
        });
    if (same == run_.records.end()) {
      run_.records.push_back(std::move(record));
    } else {
      *same = std::move(record);
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
};

void order_by_header(Run& run) {
  const auto& cases = run.header.cases;
  const auto place = [&](const Record& record) {
    return std::find(cases.begin(), cases.end(), record.case_id) - cases.begin();
  };
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

std::vector<std::string> Run::missing() const {
  std::vector<std::string> out;
  for (const auto& id : header.cases) {
    const auto measured = repetitions(id);
    const auto done = std::count_if(measured.begin(), measured.end(), [&](const Record* r) {
      return r->repetition <= header.repetitions &&
             (r->outcome == Outcome::ok || r->outcome == Outcome::skipped);
    });
    if (done < header.repetitions) {
      out.push_back(id);
    }
  }
  return out;
}

Run parse_journal(std::string_view content, const std::string& path) {
  Run run{.path = path};
  JournalParser parser(run);
  int number = 0;
  while (!content.empty()) {
    ++number;
    const auto newline = content.find('\n');
    if (newline == std::string_view::npos) {
      STEPMARK_REQUIRE(number > 1, "{}:1: the run line is incomplete: nothing to read", path);
      run.warnings.push_back(fmt::format("line {}: incomplete last line ignored", number));
      break;
    }
    try {
      parser.line(content.substr(0, newline), number);
    } catch (const Error& error) {
      throw Error(ExitCode::kUsage, fmt::format("{}:{}: {}", path, number, error.message()));
    }
    content.remove_prefix(newline + 1);
  }
  STEPMARK_REQUIRE(number > 0, "{}: empty file, expected a journal (FILE.smk of stepmark run)",
                   path);
  order_by_header(run);
  merge_by_case(run);
  return run;
}

Run read_journal(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  STEPMARK_REQUIRE(in.good(), "{}: cannot open: {}", path, std::generic_category().message(errno));
  std::ostringstream content;
  content << in.rdbuf();
  STEPMARK_REQUIRE(!in.bad() && !content.bad(), "{}: cannot read", path);
  return parse_journal(content.str(), path);
}

}  // namespace stepmark
