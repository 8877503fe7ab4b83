// SPDX-License-Identifier: Apache-2.0
// The first half of verifying: who signed, and what. Internal to results/seal.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/seal/archive.h"
#include "results/seal/verify.h"

namespace stepmark {

[[nodiscard]] const PlacedMember* find_member(const std::vector<PlacedMember>& members,
                                              std::string_view name);
[[nodiscard]] Problem problem_in(const PlacedMember& member, std::string what);
// The first byte of the member that is not as `expected`; nothing where all are.
[[nodiscard]] std::optional<Problem> first_wrong_byte(const PlacedMember& member,
                                                      std::string_view expected,
                                                      const std::string& what);

// The bytes that were signed by at least one key of the bundle, and nothing where none fits: what
// nobody signed is not read. Problems and signers go to `out`.
[[nodiscard]] std::optional<std::string> verify_signatures(const std::vector<PlacedMember>& members,
                                                           std::span<const TrustedKey> trusted,
                                                           BundleVerification& out);

}  // namespace stepmark
