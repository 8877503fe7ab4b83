// SPDX-License-Identifier: Apache-2.0
// The key file: JSON with the public part, and the seed in the clear or in a secretbox. What a
// passphrase costs (Argon2id) stands in the file and is bounded when read, since a file may say
// anything.
#include <fmt/format.h>
#include <sodium.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "results/record/json_reader.h"
#include "results/seal/bytes.h"
#include "results/seal/keys.h"

namespace stepmark {

namespace {

constexpr int kKeyVersion = 1;
constexpr std::string_view kAlgorithm = "ed25519";
constexpr std::string_view kDerivation = "argon2id13";
// 256 MiB and 3 passes, about a second: libsodium's choice for keys at rest on a normal machine.
constexpr std::size_t kMemory = crypto_pwhash_argon2id_MEMLIMIT_MODERATE;
constexpr std::uint64_t kPasses = crypto_pwhash_argon2id_OPSLIMIT_MODERATE;
constexpr std::size_t kSeedBytes = crypto_sign_SEEDBYTES;

// Bytes that are overwritten when they end.
class Secret {
 public:
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  explicit Secret(std::size_t size) : bytes_(size, '\0') {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { sodium_memzero(bytes_.data(), bytes_.size()); }
  [[nodiscard]] std::string& bytes() { return bytes_; }
  [[nodiscard]] unsigned char* data() { return unsigned_bytes(bytes_); }

 private:
  std::string bytes_;
};

struct Sealing {
  std::string salt, nonce;
  std::uint64_t passes = kPasses;
  std::size_t memory = kMemory;
};

// The key of the secretbox.
void derive_box_key(Secret& key, std::string_view passphrase, const Sealing& how) {
  STEPMARK_CHECK(crypto_pwhash_argon2id(key.data(), crypto_secretbox_KEYBYTES, passphrase.data(),
                                        passphrase.size(), unsigned_bytes(how.salt), how.passes,
                                        how.memory, crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0,
                 "not enough memory for a key's passphrase: {} bytes are needed", how.memory);
}

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  randombytes_buf(bytes.data(), size);
  return bytes;
}

nlohmann::json sealed(Secret& seed, const std::string& passphrase) {
  const Sealing how{.salt = random_bytes(crypto_pwhash_argon2id_SALTBYTES),
                    .nonce = random_bytes(crypto_secretbox_NONCEBYTES)};
  Secret key(crypto_secretbox_KEYBYTES);
  derive_box_key(key, passphrase, how);
  std::string box(kSeedBytes + crypto_secretbox_MACBYTES, '\0');
  crypto_secretbox_easy(unsigned_bytes(box), seed.data(), kSeedBytes, unsigned_bytes(how.nonce),
                        key.data());
  return {{"derivation", kDerivation},     {"passes", how.passes},
          {"memory_bytes", how.memory},    {"salt", to_base64(how.salt)},
          {"nonce", to_base64(how.nonce)}, {"box", to_base64(box)}};
}

std::string exact_bytes(JsonReader& in, std::string_view key, std::size_t size) {
  auto bytes = from_base64(in.text(key));
  // Without what was found, which may be most of a secret.
  STEPMARK_REQUIRE(bytes && bytes->size() == size, "{}: expected base64 of {} bytes", in.place(key),
                   size);
  return std::move(*bytes);
}

std::string opened(const nlohmann::json& json, const std::string& where, const AskPassphrase& ask) {
  JsonReader in(json, "sealed_seed");
  if (in.text("derivation") != kDerivation) in.fail("derivation", std::string(kDerivation));
  Sealing how;
  const auto passes = in.integer("passes");
  const auto memory = in.integer("memory_bytes");
  how.salt = exact_bytes(in, "salt", crypto_pwhash_argon2id_SALTBYTES);
  how.nonce = exact_bytes(in, "nonce", crypto_secretbox_NONCEBYTES);
  const auto box = exact_bytes(in, "box", kSeedBytes + crypto_secretbox_MACBYTES);
  in.finish();
  if (passes < 1 || passes > std::int64_t{kPasses}) {
    in.fail("passes", fmt::format("1 to {}", kPasses));
  }
  if (memory < crypto_pwhash_argon2id_MEMLIMIT_MIN || memory > std::int64_t{kMemory}) {
    in.fail("memory_bytes", fmt::format("at most {}", kMemory));
  }
  how.passes = static_cast<std::uint64_t>(passes);
  how.memory = static_cast<std::size_t>(memory);
  STEPMARK_REQUIRE(ask, "{}: the key is sealed with a passphrase", where);
  Secret passphrase(ask());
  Secret key(crypto_secretbox_KEYBYTES);
  derive_box_key(key, passphrase.bytes(), how);
  std::string seed(kSeedBytes, '\0');
  STEPMARK_REQUIRE(crypto_secretbox_open_easy(unsigned_bytes(seed), unsigned_bytes(box), box.size(),
                                              unsigned_bytes(how.nonce), key.data()) == 0,
                   "{}: the passphrase is wrong, or the file was changed", where);
  return seed;
}

}  // namespace

SigningKey::SigningKey(SigningKey&& other) noexcept : secret_(other.secret_) {
  sodium_memzero(other.secret_.data(), other.secret_.size());
}

SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  std::swap(secret_, other.secret_);
  return *this;
}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

SigningKey SigningKey::from_seed(std::string_view seed) {
  start_sodium();
  STEPMARK_CHECK(seed.size() == kSeedBytes, "{} bytes are no seed", seed.size());
  SigningKey key;
  std::array<unsigned char, PublicKey::kBytes> unused{};  // is in the secret form as well
  crypto_sign_seed_keypair(unused.data(), key.secret_.data(), unsigned_bytes(seed));
  return key;
}

SigningKey SigningKey::generate() {
  start_sodium();
  Secret seed(random_bytes(kSeedBytes));
  return from_seed(seed.bytes());
}

SigningKey SigningKey::from_text(std::string_view text, const std::string& where,
                                 const AskPassphrase& ask) {
  start_sodium();
  try {
    const auto json = parse_json(text);
    JsonReader in(json, "key");
    if (in.integer("stepmark_signing_key") != kKeyVersion) {
      in.fail("stepmark_signing_key", fmt::format("{}, the only version", kKeyVersion));
    }
    if (in.text("algorithm") != kAlgorithm) in.fail("algorithm", std::string(kAlgorithm));
    const auto expected = PublicKey::from_bytes(exact_bytes(in, "public_key", PublicKey::kBytes));
    Secret seed(in.has("seed") ? exact_bytes(in, "seed", kSeedBytes)
                               : opened(in.object("sealed_seed"), where, ask));
    in.finish();
    auto key = from_seed(seed.bytes());
    if (!(key.public_key() == expected)) in.fail("public_key", "the public part of the seed");
    return key;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage || error.message().starts_with(where)) throw;
    throw Error(ExitCode::kUsage,
                fmt::format("{}: {}; expected a key that `stepmark seal --new-key` made", where,
                            error.message()));
  }
}

std::string SigningKey::file_text(const std::optional<std::string>& passphrase) const {
  Secret seed(kSeedBytes);
  crypto_sign_ed25519_sk_to_seed(seed.data(), secret_.data());
  std::string raw(PublicKey::kBytes, '\0');
  crypto_sign_ed25519_sk_to_pk(unsigned_bytes(raw), secret_.data());
  nlohmann::json json{{"stepmark_signing_key", kKeyVersion},
                      {"algorithm", kAlgorithm},
                      {"public_key", to_base64(raw)}};
  if (passphrase) {
    json["sealed_seed"] = sealed(seed, *passphrase);
  } else {
    json["seed"] = to_base64(seed.bytes());
  }
  return json.dump(2) + "\n";
}

PublicKey SigningKey::public_key() const {
  std::string raw(PublicKey::kBytes, '\0');
  crypto_sign_ed25519_sk_to_pk(unsigned_bytes(raw), secret_.data());
  return PublicKey::from_bytes(raw);
}

std::string SigningKey::sign(std::string_view message) const {
  std::string signature(crypto_sign_BYTES, '\0');
  STEPMARK_CHECK(crypto_sign_detached(unsigned_bytes(signature), nullptr, unsigned_bytes(message),
                                      message.size(), secret_.data()) == 0,
                 "libsodium: sign");
  return signature;
}

}  // namespace stepmark
