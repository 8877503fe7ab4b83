// SPDX-License-Identifier: Apache-2.0
// By chunks of 1 MiB, since binaries with CUDA kernels have hundreds of them. A file that ends
// early is an error and has no hash.
#include "core/sha256.h"

#include <fmt/ranges.h>
#include <sodium.h>

#include <array>
#include <fstream>
#include <vector>

#include "core/error.h"

namespace stepmark {

namespace {

const unsigned char* unsigned_bytes(const char* bytes) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the library takes bytes
  return reinterpret_cast<const unsigned char*>(bytes);
}

using Digest = std::array<unsigned char, crypto_hash_sha256_BYTES>;
std::string text_of(const Digest& digest) { return fmt::format("{:02x}", fmt::join(digest, "")); }

}  // namespace

std::string sha256_of_file(const std::string& path) {
  STEPMARK_CHECK(sodium_init() >= 0, "libsodium cannot start");
  std::ifstream stream(path, std::ios::binary);
  STEPMARK_CHECK(stream.is_open(), "cannot open {}", path);
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::vector<char> chunk(std::size_t{1} << 20U);
  do {
    stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    crypto_hash_sha256_update(&state, unsigned_bytes(chunk.data()),
                              static_cast<std::size_t>(stream.gcount()));
  } while (stream);
  STEPMARK_CHECK(stream.eof() && !stream.bad(), "cannot read {}", path);
  Digest digest{};
  crypto_hash_sha256_final(&state, digest.data());
  return text_of(digest);
}

std::string sha256(std::string_view bytes) {
  STEPMARK_CHECK(sodium_init() >= 0, "libsodium cannot start");
  Digest digest{};
  crypto_hash_sha256(digest.data(), unsigned_bytes(bytes.data()), bytes.size());
  return text_of(digest);
}

}  // namespace stepmark
