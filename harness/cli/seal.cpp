// SPDX-License-Identifier: Apache-2.0
// The command `seal`: keys, bundles, further signatures.
#include <fmt/format.h>

#include <filesystem>

#include "core/log.h"
#include "core/output.h"
#include "harness/cli/evidence.h"
#include "harness/cli/passphrase.h"
#include "results/record/journal_lines.h"
#include "results/record/json_text.h"
#include "results/seal/archive.h"

namespace stepmark {

namespace {

std::optional<std::string> new_passphrase(const SealOptionsCli& options) {
  if (!options.passphrase_file.empty()) return passphrase_in(options.passphrase_file);
  if (!options.ask_passphrase) return std::nullopt;
  auto first = ask_passphrase("passphrase of the new key");
  STEPMARK_REQUIRE(ask_passphrase("the same again") == first, "the two passphrases differ");
  return first;
}

ExitCode make_key(const SealOptionsCli& options) {
  STEPMARK_REQUIRE(
      options.files.empty() && options.key.empty() && options.out.empty() && !options.add_signature,
      "--new-key makes a key and nothing else: seal in a second call");
  const auto key = write_new_key(options.new_key, new_passphrase(options));
  write_stdout(fmt::format(
      "{0}: the key; keep it, and keep it to yourself\n"
      "{0}.pub: its public part; give it to whoever shall verify, by a way that you both trust\n"
      "fingerprint {1}\n",
      options.new_key, key.fingerprint()));
  return ExitCode::kOk;
}

SigningKey signing_key(const SealOptionsCli& options) {
  STEPMARK_REQUIRE(!options.key.empty(),
                   "--key is missing: name the key to sign with (stepmark seal --new-key FILE "
                   "makes one)");
  return SigningKey::from_file(options.key, [&] {
    return options.passphrase_file.empty() ? ask_passphrase("passphrase of " + options.key)
                                           : passphrase_in(options.passphrase_file);
  });
}

std::string names_text(const std::vector<Redaction>& table) {
  auto list = nlohmann::json::array();
  for (const auto& one : table) {
    list.push_back({{"original", one.original}, {"replacement", one.replacement}});
  }
  return json_text({{"stepmark_names", 1}, {"replaced", list}}, {.indent = 1}) + "\n";
}

void require_new(const std::string& file, const char* option) {
  std::error_code ignored;
  STEPMARK_REQUIRE(file.empty() || !std::filesystem::exists(file, ignored),
                   "{}: exists already and is not replaced: choose another {}", file, option);
}

ExitCode make_bundle(const SealOptionsCli& options) {
  STEPMARK_REQUIRE(!options.files.empty() || !options.labels.empty(),
                   "no journal is named: stepmark seal FILE.smk... --key KEY --out BUNDLE.tar");
  STEPMARK_REQUIRE(!options.out.empty(), "--out is missing: name the bundle to write");
  STEPMARK_REQUIRE(!options.no_redact || (options.names.empty() && options.keep_names.empty()),
                   "--no-redact replaces nothing: leave out --redact and --keep-names");
  require_new(options.out, "--out");
  require_new(options.keep_names, "--keep-names");
  const auto input = seal_input(options);
  const auto key = signing_key(options);
  const auto bundle = seal(input.sides, input.options, evidence_views(), key);
  if (!options.keep_names.empty()) {
    write_private_file(options.keep_names, names_text(bundle.redactions));
  }
  write_output_file(options.out, write_archive(bundle.members));
  write_stdout(fmt::format("{}: {} files, signed by {}\n", options.out, bundle.members.size(),
                           key.public_key().fingerprint()));
  if (options.no_redact) {
    log_warning("{}: names of hosts and users and addresses are in it, as you asked", options.out);
  } else {
    write_stdout(fmt::format(
        "names and addresses replaced: {}; look through it before you give it away, as only "
        "you know what else is a name (--redact NAME)\n",
        bundle.redactions.size()));
  }
  return ExitCode::kOk;
}

ExitCode sign_bundle(const SealOptionsCli& options) {
  STEPMARK_REQUIRE(options.files.size() == 1, "--add-signature takes one bundle, {} were named",
                   options.files.size());
  const auto& path = options.files.front();
  const auto& out = options.out.empty() ? path : options.out;
  if (!options.out.empty()) require_new(options.out, "--out");
  const auto bytes = read_journal_file(path);
  const auto key = signing_key(options);
  write_output_file(out, add_signature(bytes, path, key, evidence_views(), sealed_by_this()));
  write_stdout(
      fmt::format("{}: verified, and signed by {}\n", out, key.public_key().fingerprint()));
  return ExitCode::kOk;
}

}  // namespace

ExitCode seal_command(const SealOptionsCli& options) {
  if (!options.new_key.empty()) return make_key(options);
  STEPMARK_REQUIRE(!options.ask_passphrase,
                   "--passphrase is for --new-key; that of a key is asked for when it has one");
  return options.add_signature ? sign_bundle(options) : make_bundle(options);
}

}  // namespace stepmark
