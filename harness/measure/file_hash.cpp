// SPDX-License-Identifier: Apache-2.0
// By chunks of 1 MiB, since binaries with CUDA kernels have hundreds of them. A file that ends
// early is an error and has no hash.
#include "harness/measure/file_hash.h"

#include <fmt/ranges.h>
#include <sodium.h>

#include <array>
#include <fstream>
#include <vector>

#include "core/error.h"

namespace stepmark {

std::string sha256_of_file(const std::string& path) {
  STEPMARK_CHECK(sodium_init() >= 0, "libsodium cannot start");
  std::ifstream stream(path, std::ios::binary);
  STEPMARK_CHECK(stream.is_open(), "cannot open {}", path);
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::vector<char> chunk(std::size_t{1} << 20);
  do {
    stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    const std::vector<unsigned char> bytes(chunk.begin(), chunk.begin() + stream.gcount());
    crypto_hash_sha256_update(&state, bytes.data(), bytes.size());
  } while (stream);
  STEPMARK_CHECK(stream.eof() && !stream.bad(), "cannot read {}", path);
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&state, digest.data());
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string sha256_of_text(std::string_view text) {
  STEPMARK_CHECK(sodium_init() >= 0, "libsodium cannot start");
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), bytes.data(), bytes.size());
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

}  // namespace stepmark
