// SPDX-License-Identifier: Apache-2.0
// The PEM form of RFC 8410: a fixed head of the DER structure, then the 32 bytes. Nothing of it can
// vary, so text is compared with what pem() would write instead of being parsed.
#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "core/error.h"
#include "results/seal/bytes.h"
#include "results/seal/keys.h"

namespace stepmark {

namespace {

// SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes }
constexpr std::string_view kDerHead{"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12};
constexpr std::string_view kBegin = "-----BEGIN PUBLIC KEY-----\n";
constexpr std::string_view kEnd = "\n-----END PUBLIC KEY-----\n";

}  // namespace

PublicKey PublicKey::from_bytes(std::string_view raw) {
  STEPMARK_CHECK(raw.size() == kBytes, "{} bytes are no Ed25519 public key", raw.size());
  PublicKey key;
  std::copy(raw.begin(), raw.end(), key.raw_.begin());
  return key;
}

PublicKey PublicKey::from_pem(std::string_view text, const std::string& where) {
  if (text.starts_with(kBegin) && text.ends_with(kEnd) &&
      text.size() > kBegin.size() + kEnd.size()) {
    const auto body = text.substr(kBegin.size(), text.size() - kBegin.size() - kEnd.size());
    const auto der = from_base64(body);
    if (der && der->size() == kDerHead.size() + kBytes && der->starts_with(kDerHead)) {
      return from_bytes(std::string_view(*der).substr(kDerHead.size()));
    }
  }
  throw Error(ExitCode::kUsage,
              fmt::format("{}: found no Ed25519 public key, expected the three lines of a file "
                          "KEY.pub that `stepmark seal --new-key KEY` made{}",
                          where,
                          text.find("signing_key") == std::string_view::npos
                              ? ""
                              : "; this is a signing key: name KEY.pub, and give it to nobody"));
}

std::string PublicKey::pem() const {
  const std::string der = std::string(kDerHead) + std::string(raw_.data(), raw_.size());
  return fmt::format("{}{}{}", kBegin, to_base64(der), kEnd);
}

std::string PublicKey::fingerprint() const {
  return sha256(std::string(kDerHead) + std::string(raw_.data(), raw_.size()));
}

bool PublicKey::verifies(std::string_view message, std::string_view signature) const {
  start_sodium();
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(unsigned_bytes(signature), unsigned_bytes(message),
                                     message.size(),
                                     unsigned_bytes({raw_.data(), raw_.size()})) == 0;
}

}  // namespace stepmark
