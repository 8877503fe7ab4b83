// SPDX-License-Identifier: Apache-2.0
// Redaction, then hashes, then what follows from the journals, then the manifest, then the
// signature. What was made is verified before anyone gets it: a bundle that fails at the other
// party's is of no use.
#include "results/seal/seal.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"
#include "results/record/chain.h"
#include "results/record/journal_lines.h"
#include "results/record/json_reader.h"
#include "results/record/json_text.h"
#include "results/seal/bytes.h"
#include "results/seal/chain_scan.h"
#include "results/seal/dsse.h"
#include "results/seal/verify.h"

namespace stepmark {

namespace {

constexpr std::size_t kMostNameLetters = 60;  // of a journal in a bundle
constexpr std::string_view kJournalFolder = "journals/";
constexpr std::string_view kJournalEnding = ".smk";

struct Sealed {
  std::string name;  // in the bundle
  std::string content;
};

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

std::vector<std::vector<Sealed>> sealed_journals(
    const std::vector<std::vector<JournalSource>>& sides, const SealOptions& options,
    std::vector<Redaction>& table) {
  Redactor redactor(options.names);
  if (options.redact) {
    for (const auto& side : sides) {
      for (const auto& source : side) {
        each_line(source.content, [&](std::string_view line) { redactor.learn(parse_json(line)); });
      }
    }
  }
  std::vector<std::vector<Sealed>> out;
  std::set<std::string> taken;
  for (const auto& side : sides) {
    auto& list = out.emplace_back();
    for (const auto& source : side) {
      const auto base = source.path.substr(source.path.find_last_of('/') + 1);
      list.push_back(
          {.name = name_in_bundle(options.redact ? redactor.replaced(base) : base, taken),
           .content = options.redact ? redacted(source.content, redactor) : source.content});
    }
  }
  table = redactor.table();
  return out;
}

void add_views(std::vector<Member>& members, const std::vector<std::vector<Run>>& sides,
               Manifest& manifest, const SealOptions& options, const EvidenceViews& views) {
  std::vector<Run> all;
  for (const auto& side : sides) all.insert(all.end(), side.begin(), side.end());
  members.push_back({.name = std::string(kPageName), .content = views.page(all)});
  if (sides.size() < 2) return;
  manifest.comparison = ManifestComparison{.sides = {}, .margin = options.margin};
  for (const auto& side : sides) {
    auto& files = manifest.comparison->sides.emplace_back();
    for (const auto& run : side) files.push_back(run.path);
  }
  members.push_back({.name = std::string(kVerdictsName),
                     .content = verdicts_text(views.verdicts(sides, options.margin))});
}

void add_key(std::vector<Member>& members, const PublicKey& key) {
  members.push_back(
      {.name = fmt::format("{}{}.pub", kKeysFolder, key.fingerprint()), .content = key.pem()});
}

void require_verified(std::string_view bytes, const EvidenceViews& views, const SealedBy& own,
                      const std::string& what) {
  const auto found = verify(bytes, {}, views, own);
  if (found.problems.empty()) return;
  throw Error(ExitCode::kCheckFailed,
              fmt::format("{}: {}{}", what, text_of(found.problems.front()),
                          found.problems.size() == 1
                              ? ""
                              : fmt::format(" (and {} more)", found.problems.size() - 1)));
}

}  // namespace

std::string beside_journal(std::string_view folder, std::string_view journal) {
  journal.remove_prefix(std::min(kJournalFolder.size(), journal.size()));
  if (journal.ends_with(kJournalEnding)) journal.remove_suffix(kJournalEnding.size());
  return fmt::format("{}/{}.json", folder, journal);
}

std::string header_text(std::string_view journal, std::string_view key) {
  const auto line = parse_json(journal.substr(0, journal.find('\n')));
  return json_text(line.value(std::string(key), nlohmann::json()), {.indent = 1}) + "\n";
}

std::string verdicts_text(const nlohmann::json& verdicts) {
  return json_text(verdicts, {.indent = 1}) + "\n";
}

Bundle seal(const std::vector<std::vector<JournalSource>>& sides, const SealOptions& options,
            const EvidenceViews& views, const SigningKey& key) {
  std::vector<std::pair<std::string, std::string>> ids;
  for (const auto& side : sides) {
    for (const auto& source : side) {
      ids.emplace_back(source.path, require_whole(source, options.accept_unfinished).header.run_id);
    }
  }
  require_other_runs(ids);
  Bundle bundle;
  Manifest manifest{.files = {},
                    .journals = {},
                    .comparison = {},
                    .redacted = options.redact,
                    .sealed_by = options.by};
  std::vector<std::vector<Run>> runs;
  for (auto& side : sealed_journals(sides, options, bundle.redactions)) {
    auto& list = runs.emplace_back();
    for (auto& journal : side) {
      const auto scan = scan_chain(journal.content);
      list.push_back(parse_lines(journal.content, journal.name, views.derive));
      const Run& run = list.back();
      manifest.journals.push_back({.file = journal.name,
                                   .run_id = run.header.run_id,
                                   .lines = scan.lines,
                                   .chain = scan.last_hash,
                                   .ended = run.ended});
      bundle.members.push_back({.name = beside_journal("config", journal.name),
                                .content = header_text(journal.content, "config")});
      bundle.members.push_back({.name = beside_journal("environment", journal.name),
                                .content = header_text(journal.content, "environment")});
      bundle.members.push_back({.name = journal.name, .content = std::move(journal.content)});
    }
  }
  add_views(bundle.members, runs, manifest, options, views);
  std::sort(bundle.members.begin(), bundle.members.end(),
            [](const Member& a, const Member& b) { return a.name < b.name; });
  for (const Member& member : bundle.members) {
    manifest.files.push_back({.name = member.name,
                              .bytes = static_cast<std::int64_t>(member.content.size()),
                              .sha256 = sha256(member.content)});
  }
  Envelope envelope{.type = std::string(kManifestType), .body = manifest.text(), .signatures = {}};
  envelope.sign(key);
  bundle.members.push_back({.name = std::string(kManifestName), .content = envelope.body});
  bundle.members.push_back({.name = std::string(kSignaturesName), .content = envelope.text()});
  add_key(bundle.members, key.public_key());
  require_verified(write_archive(bundle.members), views, options.by, "not sealed");
  return bundle;
}

std::string add_signature(std::string_view bundle, const std::string& path, const SigningKey& key,
                          const EvidenceViews& views, const SealedBy& own) {
  require_verified(bundle, views, own, path + ": not signed");
  std::vector<Member> members;
  for (const auto& member : read_archive(bundle)) {
    members.push_back({.name = member.name, .content = std::string(member.content)});
  }
  const auto signatures = std::find_if(members.begin(), members.end(), [](const Member& member) {
    return member.name == kSignaturesName;
  });
  auto envelope = Envelope::from_text(signatures->content);
  STEPMARK_REQUIRE(envelope.signature_of(key.public_key()) == nullptr,
                   "{}: this key has signed already ({})", path, key.public_key().fingerprint());
  envelope.sign(key);
  signatures->content = envelope.text();
  add_key(members, key.public_key());
  return write_archive(std::move(members));
}

}  // namespace stepmark
