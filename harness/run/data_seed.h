// SPDX-License-Identifier: Apache-2.0
// One number for a whole run and not an option: runs with other data are other work.
#pragma once

#include <cstdint>

namespace stepmark {

// Of all synthetic data of a run: the same for every run, so that runs measure the same work.
inline constexpr std::uint64_t kDataSeed = 20240229;

}  // namespace stepmark
