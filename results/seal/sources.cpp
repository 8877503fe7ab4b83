// SPDX-License-Identifier: Apache-2.0
// All files are shown to one redactor before the first is changed: a host that only the terms name
// is replaced in the journals too, by the same word.
#include "results/seal/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"
#include "results/record/chain.h"
#include "results/record/journal_lines.h"
#include "results/record/json_reader.h"
#include "results/record/json_text.h"
#include "results/seal/chain_scan.h"

namespace stepmark {

namespace {

constexpr std::size_t kMostNameLetters = 60;  // of a journal in a bundle
constexpr std::string_view kJournalFolder = "journals/";
constexpr std::string_view kJournalEnding = ".smk";

// A journal that can be evidence: whole, and what its writer wrote. Its run.
Run require_whole(const JournalSource& source, bool accept_unfinished) {
  auto run = parse_lines(source.content, source.path, {});
  STEPMARK_REQUIRE(
      run.hashed,
      "{}: schema version {} has no hashes and cannot be sealed: nothing in it shows a "
      "change",
      source.path, run.header.schema_version);
  const auto scan = scan_chain(source.content);
  STEPMARK_REQUIRE(!scan.broken, "{}:{}: {}; only whole journals are sealed", source.path,
                   scan.broken->line, scan.broken->what);
  STEPMARK_REQUIRE(
      run.ended || accept_unfinished,
      "{}:{}: no end line behind this line: the run has not ended, or lines were cut off; finish "
      "it with --resume, or seal what is there with --accept-unfinished, which the bundle says",
      source.path, scan.lines);
  return run;
}

void require_other_runs(const std::vector<std::pair<std::string, std::string>>& ids) {
  for (auto one = ids.begin(); one != ids.end(); ++one) {
    const auto twin = std::find_if(ids.begin(), one,
                                   [&](const auto& other) { return other.second == one->second; });
    STEPMARK_REQUIRE(twin == one, "{} and {} are the same run ({}): give each once", twin->first,
                     one->first, one->second);
  }
}

void each_line(std::string_view content, const std::function<void(std::string_view)>& visit) {
  static_cast<void>(scan_chain(content, [&](std::string_view line, std::int64_t) { visit(line); }));
}

// The journal with names replaced and a chain of its own. Lines without any keep their bytes up to
// the hash.
std::string redacted(const std::string& content, Redactor& redactor) {
  std::string out, hash;
  each_line(content, [&](std::string_view line) {
    auto json = parse_json(line);
    std::string object;
    if (redactor.replace(json)) {
      json.erase("chain");
      object = compact(json);
    } else {
      object = std::string(split_chained(line)->body) + "}";
    }
    out += chained_line(object, hash) + "\n";
  });
  return out;
}

// "a" of "/home/me/a.smk", of letters that a bundle's names have, and no other's.
std::string name_in_bundle(const std::string& path, std::set<std::string>& taken) {
  auto stem = path.substr(path.find_last_of('/') + 1);
  if (stem.ends_with(kJournalEnding)) stem.resize(stem.size() - kJournalEnding.size());
  std::replace_if(
      stem.begin(), stem.end(),
      [](char c) {
        return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_');
      },
      '_');
  stem = stem.empty() ? "journal" : stem.substr(0, kMostNameLetters);
  auto name = stem;
  for (int number = 2; !taken.insert(name).second; ++number) {
    name = fmt::format("{}-{}", stem, number);
  }
  return fmt::format("{}{}{}", kJournalFolder, name, kJournalEnding);
}

void learn_all(Redactor& redactor, const std::vector<std::vector<JournalSource>>& sides,
               const SealOptions& options) {
  for (const auto& side : sides) {
    for (const auto& source : side) {
      each_line(source.content, [&](std::string_view line) { redactor.learn(parse_json(line)); });
    }
  }
  for (const auto& [kind, source] : options.agreed) redactor.learn_text(source.content);
}

}  // namespace

void require_sealable(const std::vector<std::vector<JournalSource>>& sides,
                      bool accept_unfinished) {
  std::vector<std::pair<std::string, std::string>> ids;
  for (const auto& side : sides) {
    for (const auto& source : side) {
      ids.emplace_back(source.path, require_whole(source, accept_unfinished).header.run_id);
    }
  }
  require_other_runs(ids);
}

SealedSources sealed_sources(const std::vector<std::vector<JournalSource>>& sides,
                             const SealOptions& options) {
  Redactor redactor(options.names);
  if (options.redact) learn_all(redactor, sides, options);
  const auto shown = [&](const std::string& text) {
    return options.redact ? redactor.replaced(text) : text;
  };
  SealedSources out;
  std::set<std::string> taken;
  for (const auto& side : sides) {
    auto& list = out.sides.emplace_back();
    for (const auto& source : side) {
      const auto base = source.path.substr(source.path.find_last_of('/') + 1);
      list.push_back(
          {.name = name_in_bundle(shown(base), taken),
           .content = options.redact ? redacted(source.content, redactor) : source.content});
    }
  }
  for (std::size_t i = 0; i < sides.size(); ++i) {
    out.providers.push_back(i < options.providers.size() ? shown(options.providers[i])
                                                         : std::string());
  }
  for (const auto& [kind, source] : options.agreed) {
    out.agreed.emplace(kind,
                       options.redact ? redactor.replaced_yaml(source.content) : source.content);
  }
  out.redactions = redactor.table();
  return out;
}

}  // namespace stepmark
