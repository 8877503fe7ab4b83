// SPDX-License-Identifier: Apache-2.0
// libsodium's codecs. It does not look at the unused bits of a last base64 digit: writing again and
// comparing does.
#include "results/seal/bytes.h"

#include <sodium.h>

#include "core/error.h"

namespace stepmark {

namespace {

std::string encoded(std::string_view bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), unsigned_bytes(bytes), bytes.size(), variant);
  text.pop_back();  // the library's terminating zero
  return text;
}

std::optional<std::string> decoded(std::string_view text, int variant) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int status = sodium_base642bin(unsigned_bytes(bytes), bytes.size(), text.data(),
                                       text.size(), nullptr, &size, &end, variant);
  if (status != 0 || end != text.data() + text.size()) {
    return std::nullopt;
  }
  bytes.resize(size);
  return encoded(bytes, variant) == text ? std::optional(std::move(bytes)) : std::nullopt;
}

}  // namespace

void start_sodium() { STEPMARK_CHECK(sodium_init() >= 0, "libsodium cannot start"); }

const unsigned char* unsigned_bytes(std::string_view bytes) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the library takes bytes
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* unsigned_bytes(std::string& bytes) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the library takes bytes
  return reinterpret_cast<unsigned char*>(bytes.data());
}

std::string to_base64(std::string_view bytes) {
  return encoded(bytes, sodium_base64_VARIANT_ORIGINAL);
}

std::optional<std::string> from_base64(std::string_view text) {
  return decoded(text, sodium_base64_VARIANT_ORIGINAL);
}

std::optional<std::string> from_any_base64(std::string_view text) {
  for (const int variant :
       {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_URLSAFE,
        sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE_NO_PADDING}) {
    if (auto bytes = decoded(text, variant)) {
      return bytes;
    }
  }
  return std::nullopt;
}

}  // namespace stepmark
