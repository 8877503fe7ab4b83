// SPDX-License-Identifier: Apache-2.0
// Files that were agreed are read with the parsers of their commands first: mistakes in them are
// said with the names that the user gave, and they say which names are public and which are hosts.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/log.h"
#include "core/units.h"
#include "harness/cli/evidence.h"
#include "results/contract/terms.h"
#include "results/money/calendar.h"
#include "results/money/prices.h"
#include "results/portfolio/mix.h"
#include "results/record/journal_lines.h"

namespace stepmark {

namespace {

// FILE.smk[,FILE.smk...] of `argument` from `begin` on.
std::vector<JournalSource> read_side(const std::string& argument, std::size_t begin) {
  std::vector<JournalSource> side;
  for (std::size_t at = begin; at <= argument.size();) {
    const auto comma = std::min(argument.find(',', at), argument.size());
    const auto path = argument.substr(at, comma - at);
    STEPMARK_REQUIRE(!path.empty(), "'{}': a file name is missing at a comma", argument);
    side.push_back({.path = path, .content = read_journal_file(path)});
    at = comma + 1;
  }
  return side;
}

void read_sides(const SealOptionsCli& options, SealInput& out) {
  for (const std::string& word : options.labels) {
    const auto equals = word.find('=');
    STEPMARK_REQUIRE(equals != std::string::npos && equals > 0 && equals + 1 < word.size(),
                     "--label '{}': expected NAME=FILE.smk[,FILE.smk...]", word);
    out.options.providers.push_back(word.substr(0, equals));
    out.sides.push_back(read_side(word, equals + 1));
  }
  for (const std::string& file : options.files) {
    out.options.providers.emplace_back();
    out.sides.push_back(read_side(file, 0));
  }
}

// Who seals, and where: journals need not tell that, but paths in them may.
RedactedNames own_names(std::vector<std::string> others) {
  RedactedNames names{.hosts = {}, .users = {}, .others = std::move(others)};
  names.hosts.push_back(identity().host);
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> text{};
  if (getpwuid_r(getuid(), &entry, text.data(), text.size(), &found) == 0 && found != nullptr) {
    names.users.emplace_back(entry.pw_name);
  }
  return names;
}

// Parties are public, and so are ids of cases, which journals keep; nodes of outages are hosts.
void names_of_terms(const Terms& terms, RedactedNames& names) {
  for (const std::string& party : {terms.provider, terms.customer}) {
    STEPMARK_REQUIRE(
        std::find(names.others.begin(), names.others.end(), party) == names.others.end(),
        "--redact {}: a party of {}, whose names are public: leave it out", party, terms.file);
    names.kept.push_back(party);
  }
  for (const Floor& floor : terms.floors) {
    names.kept.push_back(floor.case_id);
    names.kept.push_back(floor.pattern);
  }
  if (!terms.availability) return;
  for (const Outage& outage : terms.availability->outages) {
    names.hosts.insert(names.hosts.end(), outage.nodes.begin(), outage.nodes.end());
  }
}

void read_agreed(const SealOptionsCli& options, SealOptions& out) {
  const auto add = [&](AgreedKind kind, const std::string& path) {
    out.agreed.emplace(kind, JournalSource{.path = path, .content = read_journal_file(path)});
  };
  if (!options.terms.empty()) {
    names_of_terms(read_terms(options.terms), out.names);
    add(AgreedKind::terms, options.terms);
  }
  if (!options.prices.empty()) {
    static_cast<void>(read_prices(options.prices));
    add(AgreedKind::prices, options.prices);
  }
  if (!options.portfolio.empty()) {
    for (const MixWorkload& one : read_mix(options.portfolio).workloads) {
      out.names.kept.push_back(one.workload);
    }
    add(AgreedKind::mix, options.portfolio);
  }
}

}  // namespace

SealInput seal_input(const SealOptionsCli& options) {
  SealInput out;
  out.options.redact = !options.no_redact;
  out.options.accept_unfinished = options.accept_unfinished;
  out.options.margin = parse_fraction(options.margin);
  out.options.by = sealed_by_this();
  out.options.names = own_names(options.names);
  out.options.across = options.across || !options.labels.empty();
  if (out.options.across) {
    STEPMARK_REQUIRE(options.as_of.empty() || parse_day(options.as_of),
                     "--as-of '{}': no day, such as 2026-11-29", options.as_of);
    out.options.day = options.as_of.empty() ? to_text(utc_today()) : options.as_of;
  }
  read_agreed(options, out.options);
  read_sides(options, out);
  return out;
}

}  // namespace stepmark
