// SPDX-License-Identifier: Apache-2.0
// The shared memory of this host, through which ranks of MPI and NCCL reach each other.
#pragma once

#include <optional>

namespace stepmark {

// Of /dev/shm; nothing: it is missing.
struct ShmSize {
  std::optional<double> size_bytes;
  std::optional<double> free_bytes;
};

[[nodiscard]] ShmSize shm_size();

}  // namespace stepmark
