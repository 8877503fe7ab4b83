// SPDX-License-Identifier: Apache-2.0
// The world's Comm with a lower limit on the count of one MPI call, so that tests can walk the
// paths for buffers of more than INT_MAX elements without having such buffers.
#pragma once

#include <cstddef>
#include <memory>

#include "collectives/comm.h"

namespace stepmark {

[[nodiscard]] std::unique_ptr<Comm> make_mpi_comm_with_limit(std::size_t max_count);

}  // namespace stepmark
