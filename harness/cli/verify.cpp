// SPDX-License-Identifier: Apache-2.0
// The command `verify`: what is wrong with a bundle, who signed it, what was checked.
#include "results/seal/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"
#include "core/output.h"
#include "core/utf8.h"
#include "harness/cli/evidence.h"
#include "results/record/journal_lines.h"
#include "results/record/json_text.h"

namespace stepmark {

namespace {

constexpr std::size_t kShownProblems = 20;

std::vector<TrustedKey> trusted_keys(const std::vector<std::string>& files) {
  std::vector<TrustedKey> keys;
  for (const std::string& file : files) {
    const auto key = PublicKey::from_pem(read_journal_file(file), file);
    const auto twin = std::find_if(keys.begin(), keys.end(),
                                   [&](const TrustedKey& other) { return other.key == key; });
    STEPMARK_REQUIRE(twin == keys.end(), "{} and {} are the same key", twin->name, file);
    keys.push_back({.name = file, .key = key});
  }
  return keys;
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// Whether it holds, in words and as exit code.
struct Outcome {
  ExitCode code;
  std::string word, why;
};

Outcome outcome_of(const BundleVerification& found, const VerifyOptionsCli& options) {
  if (!found.problems.empty()) {
    return {
        ExitCode::kCheckFailed, "not verified",
        fmt::format("{} problem{}", found.problems.size(), found.problems.size() == 1 ? "" : "s")};
  }
  const int trusted = found.trusted();
  if (trusted >= options.min_signers) return {ExitCode::kOk, "verified", ""};
  if (options.trust.empty()) {
    return {ExitCode::kNotMeasured, "intact, signer unknown",
            "anyone can sign: name the key of who shall have signed with --trust KEY.pub"};
  }
  return {ExitCode::kCheckFailed, "not verified",
          fmt::format("{} of the {} keys that you named signed it, wanted are {}", trusted,
                      options.trust.size(), options.min_signers)};
}

std::string signer_text(const Signer& signer) {
  return signer.trusted_as.empty()
             ? fmt::format("  signed by {}, whose key you did not name\n", signer.fingerprint)
             : fmt::format("  signed by {} ({})\n", signer.fingerprint,
                           printable_line(signer.trusted_as));
}

std::string as_text(const BundleVerification& found, const Outcome& outcome,
                    const std::string& path) {
  std::string out = fmt::format("{}: {}{}\n", printable_line(path), outcome.word,
                                outcome.why.empty() ? "" : ": " + outcome.why);
  for (std::size_t i = 0; i < found.problems.size() && i < kShownProblems; ++i) {
    out += fmt::format("  {}\n", printable_line(text_of(found.problems[i])));
  }
  if (found.problems.size() > kShownProblems) {
    out += fmt::format("  and {} more (--json has all)\n", found.problems.size() - kShownProblems);
  }
  for (const Signer& signer : found.signers) out += signer_text(signer);
  if (!found.manifest) return out;
  const auto& manifest = *found.manifest;
  out += fmt::format("  {}, {} of {}; computed again: {} of {}, {}\n",
                     counted(manifest.files.size(), "file"),
                     counted(manifest.journals.size(), "journal"), counted(found.lines, "line"),
                     counted(found.figures, "figure"), counted(found.records, "record"),
                     counted(found.verdicts, "verdict"));
  for (const auto& [file, summary] : found.verdicts_by_file) {
    out += fmt::format("  {}: {}\n", file, printable_line(summary));
  }
  out += fmt::format("  names of hosts and users: {}; sealed by stepmark {} ({}{})\n",
                     manifest.redacted ? "replaced" : "as they were",
                     printable_line(manifest.sealed_by.tool_version),
                     printable_line(manifest.sealed_by.git_revision),
                     manifest.sealed_by.dirty ? ", modified" : "");
  for (const auto& note : found.notes) out += fmt::format("  note: {}\n", printable_line(note));
  return out;
}

nlohmann::json as_json(const BundleVerification& found, const Outcome& outcome) {
  nlohmann::json json{{"verified", outcome.code == ExitCode::kOk},
                      {"outcome", outcome.word},
                      {"why", outcome.why},
                      {"exit_code", static_cast<int>(outcome.code)},
                      {"problems", nlohmann::json::array()},
                      {"signers", nlohmann::json::array()},
                      {"notes", found.notes},
                      {"lines", found.lines},
                      {"records", found.records},
                      {"figures", found.figures},
                      {"verdicts", found.verdicts}};
  for (const auto& one : found.problems) {
    json["problems"].push_back({{"file", one.member},
                                {"line", one.line},
                                {"begin", one.begin},
                                {"end", one.end},
                                {"what", one.what}});
  }
  for (const auto& one : found.signers) {
    json["signers"].push_back({{"fingerprint", one.fingerprint}, {"trusted_as", one.trusted_as}});
  }
  for (const auto& [file, summary] : found.verdicts_by_file) {
    json["verdicts_by_file"][file] = summary;
  }
  if (found.manifest) json["manifest"] = nlohmann::json::parse(found.manifest->text());
  return json;
}

// Of what does not verify nothing is drawn: a page looks as good as the figures in it.
void write_page(const BundleVerification& found, const std::string& path) {
  if (!found.problems.empty() || found.runs.empty()) {
    log_warning("{}: not written, since the bundle is not intact", path);
    return;
  }
  write_output_file(path, evidence_views().page(found.runs, found.decision));
  log_info("report: {}", path);
}

}  // namespace

ExitCode verify_command(const VerifyOptionsCli& options) {
  const auto trusted = trusted_keys(options.trust);
  STEPMARK_REQUIRE(trusted.empty() || options.min_signers <= static_cast<int>(trusted.size()),
                   "--min-signers {}, but {} named with --trust", options.min_signers,
                   counted(trusted.size(), "key"));
  const auto bytes = read_journal_file(options.bundle);
  const auto found = verify(bytes, trusted, evidence_views(), sealed_by_this());
  const auto outcome = outcome_of(found, options);
  if (!options.html.empty()) write_page(found, options.html);
  write_stdout(options.json ? json_text(as_json(found, outcome), {.indent = 2}) + "\n"
                            : as_text(found, outcome, options.bundle));
  return outcome.code;
}

}  // namespace stepmark
