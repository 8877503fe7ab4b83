// SPDX-License-Identifier: Apache-2.0
// Evidence from anyone: the archive, the envelope, the manifest, keys, and journals that a stranger
// sealed. Nothing may come out but a problem or an Error, and only bytes that were written are
// found good.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/utf8.h"
#include "hostile_mutator.h"
#include "results/families/derive.h"
#include "results/seal/bytes.h"
#include "results/seal/dsse.h"
#include "results/seal/redact.h"
#include "results/seal/verify.h"

namespace {

using namespace stepmark;

Verdicts counted(const VerdictBasis& basis) {
  Verdicts out;
  out.json = {{"sides", basis.sides.size()}, {"floors", {{{"floor", "f"}, {"verdict", 1.5}}}}};
  return out;
}

const EvidenceViews& views() {
  static const EvidenceViews out{
      .derive = derive,
      .page = [](std::span<const Run> runs,
                 const nlohmann::json&) { return std::to_string(runs.size()); },
      .compare = counted,
      .across =
          [](const VerdictBasis& basis) {
            return AcrossVerdicts{counted(basis), {}, {}};
          },
      .contract = counted};
  return out;
}

template <class Read>
void harmless(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

// The archive has one form: what is read is written as the same bytes.
void archive(const std::string& text) {
  std::vector<Member> members;
  for (const auto& member : read_archive(text)) {
    members.push_back({.name = member.name, .content = std::string(member.content)});
  }
  if (write_archive(members) != text) std::abort();
}

// Deeper than signatures let a stranger's bytes come: everything is signed again, as its author
// can.
void sealed_by_stranger(const std::string& journal, const SigningKey& key) {
  Manifest manifest;
  manifest.files.push_back({.name = "journals/a.smk",
                            .bytes = static_cast<std::int64_t>(journal.size()),
                            .sha256 = sha256(journal)});
  manifest.journals.push_back({.file = "journals/a.smk", .run_id = "r", .lines = 3, .chain = ""});
  manifest.comparison = ManifestComparison{.sides = {{"journals/a.smk"}, {"none"}}, .margin = 0.1};
  manifest.agreed.push_back({.kind = AgreedKind::terms, .lines = line_hashes(journal)});
  if (first_other_line(journal, manifest.agreed.front().lines)) std::abort();
  Envelope envelope{.type = std::string(kManifestType), .body = manifest.text(), .signatures = {}};
  envelope.sign(key);
  const auto pub = key.public_key();
  const auto bytes = write_archive({{"journals/a.smk", journal},
                                    {"manifest.json", envelope.body},
                                    {"signatures.json", envelope.text()},
                                    {"keys/" + pub.fingerprint() + ".pub", pub.pem()}});
  if (verify(bytes, {}, views(), {}).problems.empty()) std::abort();
}

void redacting(const std::string& text) {
  Redactor redactor({.hosts = {"node1.a.b"}, .users = {"bob"}, .others = {"x"}});
  nlohmann::json line{{"labels", {valid_utf8(text)}}};
  redactor.learn(line);
  static_cast<void>(redactor.replace(line));
  Redactor again({.hosts = {"node1.a.b"}, .users = {"bob"}, .others = {}});
  again.learn(line);
  static_cast<void>(again.replace(line));
  Redactor kept({.hosts = {"a"}, .users = {"b"}, .others = {}, .kept = {text, "a: b"}});
  kept.learn_text(text);
  static_cast<void>(kept.replaced_yaml(text));
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  static constexpr std::array<std::string_view, 8> kOpenings{
      "{",    "[", "\"payload\":\"", "10.0.0.1", "::", "/home/", "-----BEGIN PUBLIC KEY-----\n",
      "ustar"};
  return stepmark::fuzz::mutate(data, size, max_size, seed, kOpenings);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto key = SigningKey::from_seed(std::string(32, 's'));
  const std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(verify(text, {}, views(), {}));
  harmless([&] { archive(text); });
  harmless([&] { static_cast<void>(Envelope::from_text(text)); });
  harmless([&] { static_cast<void>(Manifest::from_text(text)); });
  harmless([&] { static_cast<void>(PublicKey::from_pem(text, "k")); });
  harmless([&] {  // without asking: Argon2id is slow on purpose
    static_cast<void>(SigningKey::from_text(
        text, "k", []() -> std::string { throw Error(ExitCode::kUsage, "nobody to ask"); }));
  });
  sealed_by_stranger(text, key);
  redacting(text);
  return 0;
}
