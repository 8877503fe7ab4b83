// SPDX-License-Identifier: Apache-2.0
// From files to a journal that is ready to be written: which importer reads each, which records are
// repetitions of one case, what the whole ends with.
#include "results/import/import.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <system_error>

#include "core/build_info.h"
#include "core/utf8.h"
#include "core/yaml.h"
#include "results/import/importer.h"
#include "results/import/source_facts.h"
#include "results/record/chain.h"
#include "results/record/common_facts.h"
#include "results/record/journal_limits.h"

namespace stepmark {
namespace {

constexpr std::uintmax_t kMaxSourceBytes = std::uintmax_t{256} << 20U;
constexpr std::size_t kIdDigits = 16;

const std::vector<Importer>& importers() {
  static const std::vector<Importer> all{
#define STEPMARK_IMPORTER(id, name) importer_##id(),
      STEPMARK_IMPORTERS(STEPMARK_IMPORTER)
#undef STEPMARK_IMPORTER
  };
  return all;
}

const Importer& named(const std::string& format) {
  const auto found = std::find_if(importers().begin(), importers().end(),
                                  [&](const Importer& one) { return one.name == format; });
  STEPMARK_REQUIRE(found != importers().end(), "there is no format '{}' to import{}", format,
                   nearest_hint(format, import_formats()));
  return *found;
}

const Importer& recognised(const ImportSource& source) {
  std::vector<const Importer*> fitting;
  for (const Importer& one : importers()) {
    if (one.recognises(source.content)) fitting.push_back(&one);
  }
  if (fitting.size() == 1) return *fitting.front();
  std::vector<std::string> words;
  for (const Importer& one : importers()) {
    const bool fits = std::find(fitting.begin(), fitting.end(), &one) != fitting.end();
    if (fits || fitting.empty()) words.push_back(fmt::format("{} ({})", one.name, one.expects));
  }
  refuse_import(
      source, 0, "{}; say which it is: stepmark import FORMAT FILE, FORMAT being {}",
      fitting.empty() ? "no output of a tool that is known here" : "could be of several tools",
      fmt::join(words, fitting.empty() ? ", or " : " or "));
}

// Several of one case, in the order of their lines, are its repetitions.
void number_repetitions(Import& out) {
  std::map<std::string, int> seen;
  std::map<std::string, int> beyond;
  std::vector<Record> kept;
  for (Record& record : out.records) {
    int& count = seen[record.case_id];
    if (count == kMaxRepetitions) {
      ++beyond[record.case_id];
      continue;
    }
    record.repetition = ++count;
    kept.push_back(std::move(record));
  }
  out.records = std::move(kept);
  for (const auto& [id, count] : beyond) {
    out.remarks.push_back(
        fmt::format("{}: {} records beyond the first {} were left out: import them "
                    "into a journal of their own",
                    id, count, kMaxRepetitions));
  }
}

// One fact per name: what files say differently stands side by side.
void add_environment(const std::vector<EnvironmentFact>& facts, Environment& into) {
  for (const EnvironmentFact& fact : facts) {
    const auto known = std::find_if(into.facts.begin(), into.facts.end(), [&](const auto& one) {
      return one.section == fact.section && one.name == fact.name;
    });
    if (known == into.facts.end()) {
      into.facts.push_back(fact);
    } else if (known->value != fact.value && known->value.find(fact.value) == std::string::npos) {
      known->value += "; " + fact.value;
    }
  }
}

// Whatever the bytes of the file were, what is kept is UTF-8.
void make_valid(Record& record) {
  record.case_id = printable_line(record.case_id);
  record.reason = printable_line(record.reason);
  for (std::string& label : record.labels) label = printable_line(label);
  for (auto& [name, value] : record.texts) value = printable_line(value);
  for (Check& check : record.checks) check.detail = printable_line(check.detail);
}

void add_header(Import& out, const std::vector<std::string>& formats,
                const std::vector<std::string>& tools, const std::string& hash) {
  const BuildInfo& build = build_info();
  RunHeader& header = out.header;
  header.run_id = "imported-" + hash.substr(0, kIdDigits);
  header.tool_version = build.version;
  header.git_revision = build.git_revision;
  header.build_type = build.build_type;
  header.dirty = build.git_dirty;
  header.suite = "imported";
  header.backend = fmt::format("{}", fmt::join(tools, ", "));
  header.config["imported"] = formats;
  if (!out.remarks.empty()) header.config["remarks"] = out.remarks;
  std::set<std::string> ids;
  for (const Record& record : out.records) {
    if (ids.insert(record.case_id).second) header.cases.push_back(record.case_id);
    const auto ranks = record.number(facts::kRanks).value_or(1);
    if (ranks > header.ranks && ranks < 1e9) header.ranks = static_cast<int>(ranks);
  }
  stepmark::make_valid(header.environment);
}

// What the whole ends with.
void conclude(Import& out, const std::vector<std::string>& cut) {
  int failed = 0, without = 0;
  for (const Record& record : out.records) {
    failed += record.outcome == Outcome::failed ? 1 : 0;
    without += record.outcome == Outcome::not_measured ? 1 : 0;
  }
  if (failed > 0) {
    out.code = ExitCode::kCheckFailed;
    out.reason =
        fmt::format("{} of {} records failed their tool's check", failed, out.records.size());
  } else if (!cut.empty() || without > 0) {
    out.code = ExitCode::kNotMeasured;
    out.reason = without > 0
                     ? fmt::format("{} of {} records have no time", without, out.records.size())
                     : std::string();
    if (!cut.empty()) {
      out.reason += fmt::format("{}cut: {}", out.reason.empty() ? "" : "; ", fmt::join(cut, ", "));
    }
  } else {
    out.reason = "imported";
  }
}

template <class T>
void add_once(std::vector<T>& list, T value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(std::move(value));
}

}  // namespace

const std::vector<std::string>& import_formats() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Importer& one : importers()) out.emplace_back(one.name);
    return out;
  }();
  return names;
}

Import import_files(std::span<const ImportSource> sources, const ImportOptions& options) {
  Import out;
  std::vector<std::string> formats, tools, cut;
  std::string all_hashes;
  auto files = nlohmann::json::array();
  for (const ImportSource& source : sources) {
    const Importer& importer = options.format.empty() ? recognised(source) : named(options.format);
    ImportedFile file = importer.read(source, options);
    if (file.records.empty()) {
      refuse_import(source, 0, "nothing was measured in it: expected {}", importer.expects);
    }
    const std::string hash = chain_hash({}, source.content);
    all_hashes += hash;
    const std::string name = printable_line(std::filesystem::path(source.path).filename().string());
    for (Record& record : file.records) {
      record.texts.emplace_back(facts::source::kHash, hash);
      make_valid(record);
      out.records.push_back(std::move(record));
    }
    for (const std::string& remark : file.remarks) {
      out.remarks.push_back(fmt::format("{}: {}", name, printable_line(remark)));
    }
    add_environment(file.environment, out.header.environment);
    files.push_back({{"file", name},
                     {"format", importer.name},
                     {"tool", printable_line(file.tool)},
                     {"bytes", source.content.size()},
                     {"blake2b", hash},
                     {"cut", file.cut}});
    add_once(formats, std::string(importer.name));
    add_once(tools, printable_line(file.tool));
    if (file.cut) cut.push_back(name);
  }
  number_repetitions(out);
  std::set<std::string> ids;
  for (const Record& record : out.records) ids.insert(record.case_id);
  STEPMARK_REQUIRE(ids.size() <= kMaxCases, "{} cases, at most {} are read: import fewer files",
                   ids.size(), kMaxCases);
  out.header.config["sources"] = std::move(files);
  add_header(out, formats, tools, chain_hash({}, all_hashes));
  conclude(out, cut);
  return out;
}

ImportSource read_import_source(const std::string& path) {
  std::error_code ignored;
  STEPMARK_REQUIRE(!std::filesystem::is_directory(path, ignored),
                   "{}: is a directory, expected a file that another tool wrote", path);
  std::ifstream file(path, std::ios::binary);
  STEPMARK_REQUIRE(file.good(), "{}: cannot open: {}", path,
                   std::generic_category().message(errno));
  ImportSource source{.path = path, .content = {}};
  std::array<char, std::size_t{1} << 16U> chunk{};
  while (file.read(chunk.data(), chunk.size()) || file.gcount() > 0) {
    source.content.append(chunk.data(), static_cast<std::size_t>(file.gcount()));
    STEPMARK_REQUIRE(source.content.size() <= kMaxSourceBytes,
                     "{}: more than {} bytes: cut out the part that has the results", path,
                     kMaxSourceBytes);
  }
  STEPMARK_REQUIRE(!file.bad(), "{}: cannot read: {}", path,
                   std::generic_category().message(errno));
  STEPMARK_REQUIRE(!source.content.empty(), "{}: is empty, expected what another tool printed",
                   path);
  return source;
}

}  // namespace stepmark
