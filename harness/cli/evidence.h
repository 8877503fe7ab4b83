// SPDX-License-Identifier: Apache-2.0
// The commands `seal` and `verify`, and what they hand to results/seal, which knows neither
// families nor verdicts nor the page.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "results/seal/seal.h"

namespace CLI {
class App;
}

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
};

struct VerifyOptionsCli {
  std::string bundle;
  std::vector<std::string> trust;
  int min_signers = 1;
  bool json = false;
};

// Adds both commands; what was chosen goes to `chosen`.
void add_evidence_commands(CLI::App& app, SealOptionsCli& seal, VerifyOptionsCli& verify,
                           std::function<ExitCode()>& chosen);

[[nodiscard]] ExitCode seal_command(const SealOptionsCli& options);
// kCheckFailed when anything is wrong or too few of the named keys signed; kNotMeasured when all is
// intact but no key was named, so that nobody knows who signed.
[[nodiscard]] ExitCode verify_command(const VerifyOptionsCli& options);

[[nodiscard]] const EvidenceViews& evidence_views();
[[nodiscard]] SealedBy sealed_by_this();

}  // namespace stepmark
