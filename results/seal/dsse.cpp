// SPDX-License-Identifier: Apache-2.0
// The JSON form keeps body and signatures in base64. The body is handed out as the bytes that were
// signed; whoever reads it has to look for a signature first.
#include "results/seal/dsse.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "results/record/json_reader.h"
#include "results/record/json_text.h"
#include "results/seal/bytes.h"

namespace stepmark {

namespace {

constexpr std::size_t kMostSignatures = 64;

std::string decoded(JsonReader& in, std::string_view key) {
  auto bytes = from_any_base64(in.text(key));
  if (!bytes) in.fail(key, "base64");
  return std::move(*bytes);
}

}  // namespace

std::string pre_authentication(std::string_view type, std::string_view body) {
  return fmt::format("DSSEv1 {} {} {} {}", type.size(), type, body.size(), body);
}

Envelope Envelope::from_text(std::string_view text) {
  const auto json = parse_json(text);
  JsonReader in(json, "envelope");
  Envelope envelope;  // keys that are not asked for are passed over, as DSSE wants
  envelope.type = in.text("payloadType");
  envelope.body = decoded(in, "payload");
  const auto& signatures = in.array("signatures");
  if (signatures.empty() || signatures.size() > kMostSignatures) {
    in.fail("signatures", fmt::format("1 to {}", kMostSignatures));
  }
  for (const auto& one : signatures) {
    JsonReader signature(one, fmt::format("envelope.signatures[{}]", envelope.signatures.size()));
    EnvelopeSignature read;
    if (signature.has("keyid")) read.key_id = signature.text("keyid");
    read.bytes = decoded(signature, "sig");
    envelope.signatures.push_back(std::move(read));
  }
  return envelope;
}

std::string Envelope::text() const {
  auto list = nlohmann::json::array();
  for (const auto& one : signatures) {
    list.push_back({{"keyid", one.key_id}, {"sig", to_base64(one.bytes)}});
  }
  return json_text({{"payloadType", type}, {"payload", to_base64(body)}, {"signatures", list}}) +
         "\n";
}

void Envelope::sign(const SigningKey& key) {
  signatures.push_back({.key_id = key.public_key().fingerprint(),
                        .bytes = key.sign(pre_authentication(type, body))});
}

const EnvelopeSignature* Envelope::signature_of(const PublicKey& key) const {
  const auto message = pre_authentication(type, body);
  const auto found = std::find_if(signatures.begin(), signatures.end(), [&](const auto& one) {
    return key.verifies(message, one.bytes);
  });
  return found == signatures.end() ? nullptr : &*found;
}

}  // namespace stepmark
