// SPDX-License-Identifier: Apache-2.0
// A bundle to break: small journals, real figures and verdicts, a page of a line.
#pragma once

#include <string>
#include <vector>

#include "results/seal/seal.h"
#include "results/seal/verify.h"

namespace stepmark::sealed {

// Derived figures and real verdicts; the page is a line that names runs and times, as the real one
// is a megabyte.
[[nodiscard]] const EvidenceViews& views();
[[nodiscard]] SealedBy by();
// A journal of `records` records with `count` samples each, on the host `host`.
[[nodiscard]] JournalSource journal(const std::string& path, std::uint64_t seed, int count = 8,
                                    const std::string& host = "node17.example.com",
                                    std::size_t records = 1);
// Of a step of 2048 tokens that takes about `seconds` on four ranks of two hosts.
[[nodiscard]] JournalSource step_journal(const std::string& path, std::uint64_t seed,
                                         double seconds);
[[nodiscard]] BundleVerification verified(std::string_view bytes,
                                          std::span<const TrustedKey> trusted = {});
[[nodiscard]] std::string bytes_of(const Bundle& bundle);
// What is wrong, a problem per line.
[[nodiscard]] std::string said(const BundleVerification& found);
[[nodiscard]] Member& member(std::vector<Member>& members, std::string_view name);
// The manifest of a bundle that someone changed, signed by that someone.
void sign_again(std::vector<Member>& members, const SigningKey& key);

}  // namespace stepmark::sealed
