// SPDX-License-Identifier: Apache-2.0
// Of which layer of a machine the time of a case speaks: what moves alone tells where a fault is.
#pragma once

#include <cstdint>
#include <string_view>

namespace stepmark {

// device: one device by itself. fabric: ranks talking to each other. whole: several at once.
enum class Layer : std::uint8_t { device, fabric, whole };

// `whole` for a family that is not known.
[[nodiscard]] Layer layer_of_family(std::string_view family);

}  // namespace stepmark
