// SPDX-License-Identifier: Apache-2.0
// Ed25519 keys (RFC 8032). A public key is a PEM file as openssl reads it; a signing key is a file
// of mode 0600, sealed with a passphrase if its owner wants that. A key says who signed only to
// those who had its fingerprint from its owner before: docs/evidence.md.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace stepmark {

class PublicKey {
 public:
  static constexpr std::size_t kBytes = 32;
  // `where` names the file in messages. Error(kUsage) for anything but the PEM text of one Ed25519
  // public key as pem() writes it.
  [[nodiscard]] static PublicKey from_pem(std::string_view text, const std::string& where);
  [[nodiscard]] static PublicKey from_bytes(std::string_view raw);  // exactly kBytes
  [[nodiscard]] std::string pem() const;
  // SHA-256 of the key's DER form, 64 hexadecimal digits: that of
  // `openssl pkey -pubin -in KEY.pub -outform DER | sha256sum`.
  [[nodiscard]] std::string fingerprint() const;
  // Whether the 64 bytes of `signature` are this key's for all of `message`.
  [[nodiscard]] bool verifies(std::string_view message, std::string_view signature) const;
  [[nodiscard]] bool operator==(const PublicKey&) const = default;

 private:
  std::array<char, kBytes> raw_{};
};

// Asked only where a key file is sealed. Error(kUsage) where nobody can be asked.
using AskPassphrase = std::function<std::string()>;

// Move-only, and wiped when it ends.
class SigningKey {
 public:
  [[nodiscard]] static SigningKey generate();
  [[nodiscard]] static SigningKey from_seed(std::string_view seed);  // 32 bytes
  // What file_text() wrote. Error(kUsage) naming `where` for anything else, a wrong passphrase, and
  // a sealing that would take more memory or time than any that this program makes.
  [[nodiscard]] static SigningKey from_text(std::string_view text, const std::string& where,
                                            const AskPassphrase& ask);
  // Of a file; Error(kUsage) too where others may read it (any mode but 0600 and 0400).
  [[nodiscard]] static SigningKey from_file(const std::string& path, const AskPassphrase& ask);
  SigningKey(SigningKey&& other) noexcept;
  SigningKey& operator=(SigningKey&& other) noexcept;
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  ~SigningKey();

  // JSON. With a passphrase the seed is in a secretbox (XSalsa20-Poly1305) whose key is Argon2id's
  // of the passphrase.
  [[nodiscard]] std::string file_text(const std::optional<std::string>& passphrase) const;
  [[nodiscard]] PublicKey public_key() const;
  [[nodiscard]] std::string sign(std::string_view message) const;  // 64 bytes

 private:
  SigningKey() = default;
  std::array<unsigned char, 64> secret_{};  // libsodium's form: seed and public key
};

// A file that its owner alone may read: new, of mode 0600, flushed to the disk. Error(kUsage) where
// there is one of this name, Error(kEnvironment) where it cannot be written.
void write_private_file(const std::string& path, std::string_view text);

// A new key in `path` (0600) and its public part in `path`.pub, neither replacing a file.
[[nodiscard]] PublicKey write_new_key(const std::string& path,
                                      const std::optional<std::string>& passphrase);

}  // namespace stepmark
