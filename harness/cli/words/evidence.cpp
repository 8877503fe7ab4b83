// SPDX-License-Identifier: Apache-2.0
// The words of `seal` and `verify`.
#include <CLI/CLI.hpp>

#include "core/units.h"
#include "harness/cli/evidence.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"

namespace stepmark {

namespace {

void add_seal(CLI::App& app, SealOptionsCli& seal, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("seal", "Make signed evidence of journals; make keys");
  cmd->footer(
      "Each argument is a side as of `compare`, repetitions joined by commas; several sides get\n"
      "their verdicts. Names of hosts and users and network addresses are replaced.\n"
      "Examples:\n"
      "  stepmark seal --new-key buyer                 # buyer (keep it) and buyer.pub (give it)\n"
      "  stepmark seal a.smk b.smk --key buyer --out evidence.tar\n"
      "  stepmark seal nov*.smk --terms terms.yaml --key buyer --out november.tar\n"
      "  stepmark seal --label A=a1.smk,a2.smk --label B=b1.smk,b2.smk --prices prices.yaml "
      "--key buyer --out choice.tar\n"
      "  stepmark seal evidence.tar --add-signature --key provider\n\n"
      "Exit code 1 when what stands in a journal does not follow from its samples, 2 for a "
      "journal\n"
      "that is damaged, cut, not ended or given twice.");
  cmd->add_option("files", seal.files,
                  "FILE.smk[,FILE.smk...] per side; with --add-signature the bundle");
  cmd->add_option("--new-key", seal.new_key, "Make a key: FILE (mode 0600) and FILE.pub");
  cmd->add_flag("--passphrase", seal.ask_passphrase,
                "Ask on the terminal for a passphrase of the new key");
  cmd->add_option("--passphrase-file", seal.passphrase_file,
                  "File whose first line is the passphrase, of the new key or of --key");
  cmd->add_option("--key", seal.key, "Key to sign with");
  cmd->add_option("-o,--out", seal.out, "Bundle to write, a tar archive");
  cmd->add_flag("--add-signature", seal.add_signature,
                "Verify a bundle and sign it too (in its place, or as --out)");
  cmd->add_flag("--no-redact", seal.no_redact, "Keep names of hosts and users, and addresses");
  cmd->add_option("--redact", seal.names, "Replace this word too; may be repeated")
      ->allow_extra_args(false);
  cmd->add_option("--keep-names", seal.keep_names,
                  "Write what was replaced by what to this file, for yourself (mode 0600)");
  cmd->add_option("--margin", seal.margin, "Of the verdicts: differences up to this are 'same'")
      ->check(parsed_by(parse_fraction, ""))
      ->capture_default_str();
  cmd->add_option("--terms", seal.terms,
                  "Terms (YAML) to put in, with the verdict on each of their floors");
  cmd->add_flag("--across", seal.across,
                "The sides are providers': put in the verdicts of `compare "
                "--across` too");
  cmd->add_option("--label", seal.labels,
                  "NAME=FILE.smk[,FILE.smk...]: a side, journals of that provider; implies "
                  "--across")
      ->allow_extra_args(false);
  auto* prices = cmd->add_option("--prices", seal.prices,
                                 "Price file (YAML) to put in, with costs and break-even prices");
  cmd->add_option("--portfolio", seal.portfolio,
                  "Mix of workloads (YAML) to put in, with where each should run")
      ->needs(prices);
  cmd->add_option("--as-of", seal.as_of,
                  "Day until which ages of prices are counted, such as 2026-11-29 (default: today)")
      ->needs(prices);
  cmd->add_flag("--accept-unfinished", seal.accept_unfinished,
                "Seal journals of runs that have not ended; the bundle says so");
  cmd->callback([&] { chosen = [&] { return seal_command(seal); }; });
}

void add_verify(CLI::App& app, VerifyOptionsCli& verify, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("verify", "Check sealed evidence, down to its samples");
  cmd->footer(
      "Example:\n"
      "  stepmark verify evidence.tar --trust buyer.pub --trust provider.pub --min-signers 2\n\n"
      "Exit code 0 when everything is as it was signed, follows from the samples and enough of "
      "the\n"
      "named keys signed it; 1 when not; 3 when all is intact but no key was named with --trust, "
      "so\n"
      "that nothing says who signed; 2 for a file that cannot be read.");
  cmd->add_option("bundle", verify.bundle, "Bundle of `stepmark seal`")->required();
  cmd->add_option("--trust", verify.trust,
                  "Public key (KEY.pub) that you have from its owner; may be repeated")
      ->allow_extra_args(false);
  cmd->add_option("--min-signers", verify.min_signers,
                  "How many of the named keys must have signed (0: it is enough to be intact)")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  cmd->add_option("--html", verify.html,
                  "Write the page of an intact bundle, drawn again from its journals");
  cmd->add_flag("--json", verify.json, "Print JSON");
  cmd->callback([&] { chosen = [&] { return verify_command(verify); }; });
}

}  // namespace

void add_evidence(CLI::App& app, SealOptionsCli& seal, VerifyOptionsCli& verify, Chosen& chosen) {
  add_seal(app, seal, chosen);
  add_verify(app, verify, chosen);
}

}  // namespace stepmark
