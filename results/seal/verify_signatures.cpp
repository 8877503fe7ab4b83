// SPDX-License-Identifier: Apache-2.0
// The manifest stands twice in a bundle, readable and in the envelope: where they differ, the one
// that signatures fit tells in which of both a byte was changed.
#include "results/seal/verify_signatures.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "results/seal/dsse.h"

namespace stepmark {

namespace {

using Keys = std::map<std::string, PublicKey, std::less<>>;  // by fingerprint

Keys keys_in(const std::vector<PlacedMember>& members, BundleVerification& out) {
  Keys keys;
  for (const auto& member : members) {
    if (!member.name.starts_with(kKeysFolder)) continue;
    try {
      const auto key = PublicKey::from_pem(member.content, "the key");
      const auto fingerprint = key.fingerprint();
      if (member.name == fmt::format("{}{}.pub", kKeysFolder, fingerprint)) {
        keys.emplace(fingerprint, key);
      } else {
        out.problems.push_back(
            problem_in(member, "this is the key " + fingerprint + ", whose name it does not have"));
      }
    } catch (const Error& error) {
      out.problems.push_back(problem_in(member, "damaged: " + error.message()));
    }
  }
  return keys;
}

// Whose signature fits `body`; problems of the others go to `problems`.
std::set<std::string> signers_of(const Envelope& envelope, const std::string& body,
                                 const Keys& keys, const PlacedMember& member,
                                 std::vector<Problem>& problems) {
  std::set<std::string> signers;
  const auto message = pre_authentication(envelope.type, body);
  for (const auto& signature : envelope.signatures) {
    const auto key = keys.find(signature.key_id);
    if (key == keys.end()) {
      problems.push_back(problem_in(
          member, fmt::format("signed by '{}', whose key is not in the bundle", signature.key_id)));
    } else if (!key->second.verifies(message, signature.bytes)) {
      problems.push_back(problem_in(
          member, fmt::format("the signature of {} does not fit what was signed: signature or "
                              "manifest were changed",
                              signature.key_id)));
    } else if (!signers.insert(key->first).second) {
      problems.push_back(problem_in(member, "signed twice by " + key->first));
    }
  }
  return signers;
}

void name_signers(const std::set<std::string>& signers, const Keys& keys,
                  std::span<const TrustedKey> trusted, BundleVerification& out) {
  for (const auto& fingerprint : signers) {
    Signer signer{.fingerprint = fingerprint, .trusted_as = {}};
    const auto& key = keys.find(fingerprint)->second;
    for (const auto& one : trusted) {
      if (one.key == key) signer.trusted_as = one.name;
    }
    out.signers.push_back(std::move(signer));
  }
}

}  // namespace

const PlacedMember* find_member(const std::vector<PlacedMember>& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const PlacedMember& member) { return member.name == name; });
  return found == members.end() ? nullptr : &*found;
}

Problem problem_in(const PlacedMember& member, std::string what) {
  return {.member = member.name,
          .line = 0,
          .begin = member.begin,
          .end = member.begin + member.content.size(),
          .what = std::move(what)};
}

std::optional<Problem> first_wrong_byte(const PlacedMember& member, std::string_view expected,
                                        const std::string& what) {
  const auto& found = member.content;
  if (found == expected) return std::nullopt;
  const auto at = static_cast<std::size_t>(
      std::mismatch(found.begin(), found.end(), expected.begin(), expected.end()).first -
      found.begin());
  const auto wrong = found.begin() + static_cast<std::ptrdiff_t>(at);
  return Problem{.member = member.name,
                 .line = 1 + std::count(found.begin(), wrong, '\n'),
                 .begin = member.begin + at,
                 .end = member.begin + std::min(at + 1, found.size()),
                 .what = what};
}

std::optional<std::string> verify_signatures(const std::vector<PlacedMember>& members,
                                             std::span<const TrustedKey> trusted,
                                             BundleVerification& out) {
  const auto* signatures = find_member(members, kSignaturesName);
  const auto* manifest = find_member(members, kManifestName);
  for (const auto& [member, name] :
       {std::pair(signatures, kSignaturesName), std::pair(manifest, kManifestName)}) {
    if (member == nullptr) {
      out.problems.push_back({.member = std::string(name),
                              .line = 0,
                              .begin = 0,
                              .end = 0,
                              .what = "missing: this is no evidence bundle, or a part of one"});
    }
  }
  if (signatures == nullptr || manifest == nullptr) return std::nullopt;
  Envelope envelope;
  try {
    envelope = Envelope::from_text(signatures->content);
  } catch (const Error& error) {
    out.problems.push_back(problem_in(*signatures, "damaged: " + error.message()));
    return std::nullopt;
  }
  if (envelope.type != kManifestType) {
    out.problems.push_back(problem_in(
        *signatures, fmt::format("signed was a '{}', expected {}", envelope.type, kManifestType)));
    return std::nullopt;
  }
  if (auto wrong = first_wrong_byte(*signatures, envelope.text(), "not as stepmark writes it")) {
    out.problems.push_back(std::move(*wrong));
  }
  const auto keys = keys_in(members, out);
  std::vector<Problem> problems, others;
  std::string body = envelope.body;
  auto signers = signers_of(envelope, body, keys, *signatures, problems);
  if (signers.empty() && manifest->content != body) {
    const std::string readable(manifest->content);
    if (auto fitting = signers_of(envelope, readable, keys, *signatures, others);
        !fitting.empty()) {
      out.problems.push_back(problem_in(*signatures, "damaged: what it says was signed is not"));
      body = readable;
      signers = std::move(fitting);
      problems = std::move(others);
    }
  }
  std::move(problems.begin(), problems.end(), std::back_inserter(out.problems));
  for (const auto& known : keys) {
    const auto& fingerprint = known.first;
    if (std::none_of(envelope.signatures.begin(), envelope.signatures.end(),
                     [&](const auto& one) { return one.key_id == fingerprint; })) {
      out.problems.push_back(
          problem_in(*find_member(members, fmt::format("{}{}.pub", kKeysFolder, fingerprint)),
                     "a key that did not sign"));
    }
  }
  name_signers(signers, keys, trusted, out);
  if (signers.empty()) return std::nullopt;
  if (auto wrong = first_wrong_byte(*manifest, body, "damaged: this is not what was signed")) {
    out.problems.push_back(std::move(*wrong));
  }
  return body;
}

}  // namespace stepmark
