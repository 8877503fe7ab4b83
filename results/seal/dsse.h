// SPDX-License-Identifier: Apache-2.0
// DSSE v1 envelopes (github.com/secure-systems-lab/dsse, protocol.md and envelope.md): a body, its
// type and signatures of both, so that bytes signed as one thing are never taken for another.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/seal/keys.h"

namespace stepmark {

// What is signed: "DSSEv1", then type and body, each behind its length.
[[nodiscard]] std::string pre_authentication(std::string_view type, std::string_view body);

struct EnvelopeSignature {
  std::string key_id;  // a hint that is not signed: nothing may be decided by it
  std::string bytes;
};

struct Envelope {
  std::string type, body;
  std::vector<EnvelopeSignature> signatures;

  // Error(kUsage) "where.key: ..." for what is no envelope. Other programs' are read as well: with
  // keys that are not known here, without key id, in either alphabet of base64.
  [[nodiscard]] static Envelope from_text(std::string_view text);
  [[nodiscard]] std::string text() const;  // one line
  void sign(const SigningKey& key);        // adds a signature; its key id is the key's fingerprint
  // The first signature that is this key's, whatever its key id says.
  [[nodiscard]] const EnvelopeSignature* signature_of(const PublicKey& key) const;
};

}  // namespace stepmark
