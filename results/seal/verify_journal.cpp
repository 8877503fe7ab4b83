// SPDX-License-Identifier: Apache-2.0
// The chain says which line is the first that is not as it was; the number of lines and the last
// hash, which were signed, say whether lines are missing at the end or all of it is another's.
#include "results/seal/verify_journal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "results/record/journal_lines.h"
#include "results/record/json_reader.h"
#include "results/seal/chain_scan.h"

namespace stepmark {

namespace {

class JournalCheck {
 public:
  JournalCheck(const PlacedMember& member, BundleVerification& out) : member_(member), out_(out) {}

  void problem(std::int64_t line, std::size_t begin, std::size_t end, std::string what) {
    out_.problems.push_back({.member = member_.name,
                             .line = line,
                             .begin = member_.begin + begin,
                             .end = member_.begin + end,
                             .what = std::move(what)});
  }

  bool chain(const ManifestJournal& signed_one) {
    const auto scan = scan_chain(member_.content);
    const auto size = member_.content.size();
    if (scan.broken) {
      problem(scan.broken->line, scan.broken->begin, scan.broken->end,
              "damaged: " + scan.broken->what);
    } else if (scan.lines != signed_one.lines) {
      problem(std::min(scan.lines, signed_one.lines) + 1, size, size,
              fmt::format("{} lines were signed, {} are there", signed_one.lines, scan.lines));
    } else if (scan.last_hash != signed_one.chain) {
      problem(0, 0, size,
              "its lines fit each other, but are not those that were signed: another journal");
    } else {
      return true;
    }
    return false;
  }

  void figures(const EvidenceViews& views, bool own_version) {
    std::set<std::string> unknown;
    static_cast<void>(scan_chain(member_.content, [&](std::string_view line, std::int64_t number) {
      auto json = parse_json(line);
      ++out_.lines;
      if (json.value("type", "") != "record") return;
      json.erase("type");
      json.erase("chain");
      ++out_.records;
      const auto claims = check_claims(record_from_json(json), views.derive);
      out_.figures += claims.confirmed;
      const auto begin = static_cast<std::size_t>(line.data() - member_.content.data());
      for (const auto& one : claims.untrue) {
        problem(number, begin, begin + line.size(),
                "does not follow from the samples: " + one +
                    (own_version ? ""
                                 : " (sealed by another version of stepmark, which may "
                                   "have computed otherwise)"));
      }
      unknown.insert(claims.unknown.begin(), claims.unknown.end());
    }));
    if (!unknown.empty()) {
      out_.notes.push_back(
          fmt::format("{}: metrics that this version does not know, not checked: {}", member_.name,
                      fmt::join(unknown, ", ")));
    }
  }

 private:
  const PlacedMember& member_;
  BundleVerification& out_;
};

}  // namespace

std::optional<Run> verify_journal(const PlacedMember& member, const ManifestJournal& manifest,
                                  const EvidenceViews& views, bool own_version,
                                  BundleVerification& out) {
  JournalCheck check(member, out);
  if (!check.chain(manifest)) return std::nullopt;
  try {
    check.figures(views, own_version);
    auto run = parse_lines(member.content, member.name, views.derive);
    if (run.header.run_id != manifest.run_id || run.ended != manifest.ended) {
      check.problem(1, 0, 0,
                    fmt::format("run '{}' ({}), the manifest says '{}' ({})", run.header.run_id,
                                run.ended ? "ended" : "not ended", manifest.run_id,
                                manifest.ended ? "ended" : "not ended"));
    }
    if (!run.ended) {
      out.notes.push_back(
          member.name +
          ": the run has not ended: later lines may have been left out by who sealed");
    }
    return run;
  } catch (const Error& error) {
    check.problem(0, 0, member.content.size(), error.message());
    return std::nullopt;
  }
}

}  // namespace stepmark
