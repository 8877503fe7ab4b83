// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, reading a log of NCCL gives choices that can be meant, and nothing is thrown.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "collectives/nccl/transport_log.h"
#include "collectives/nccl/tuning_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const stepmark::CollectiveChoice& choice : stepmark::parse_tuning_log(text)) {
    if (choice.collective.empty() || choice.bytes < 0 || choice.channels < 0) std::abort();
  }
  for (const auto& [name, values] : stepmark::parse_transport_log(text)) {
    if (name.empty() || values.empty()) std::abort();
  }
  return 0;
}
