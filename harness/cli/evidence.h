// SPDX-License-Identifier: Apache-2.0
// The commands `seal` and `verify`, and what they hand to results/seal, which knows neither
// families nor verdicts nor the page.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "results/seal/seal.h"

namespace stepmark {

struct SealOptionsCli {
  std::vector<std::string> files;  // sides, or the bundle of --add-signature
  std::string new_key, key, passphrase_file, out, keep_names;
  bool ask_passphrase = false;
  bool add_signature = false;
  bool no_redact = false;
  bool accept_unfinished = false;
  std::vector<std::string> names;  // to be redacted as well
  std::string margin = "2%";
  bool across = false;
  std::vector<std::string> labels;  // NAME=FILES, of providers
  std::string terms, prices, portfolio;
  std::string as_of;  // a day; empty: today
};

struct VerifyOptionsCli {
  std::string bundle;
  std::vector<std::string> trust;
  int min_signers = 1;
  std::string html;  // the page to write
  bool json = false;
};

[[nodiscard]] ExitCode seal_command(const SealOptionsCli& options);
// kCheckFailed when anything is wrong or too few of the named keys signed; kNotMeasured when all is
// intact but no key was named, so that nobody knows who signed.
[[nodiscard]] ExitCode verify_command(const VerifyOptionsCli& options);

// What `seal` takes from its options beside keys: sides, what was agreed, names.
struct SealInput {
  std::vector<std::vector<JournalSource>> sides;
  SealOptions options;
};
// Reads the files. Error(kUsage) for mistakes in options and in files that were agreed.
[[nodiscard]] SealInput seal_input(const SealOptionsCli& options);

[[nodiscard]] const EvidenceViews& evidence_views();
[[nodiscard]] SealedBy sealed_by_this();

}  // namespace stepmark
