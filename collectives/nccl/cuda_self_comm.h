// SPDX-License-Identifier: Apache-2.0
// The group of one rank on GPU memory: its verbs are copies within the device. A NCCL communicator
// of one rank would do no other, and is never reported as a collective.
#pragma once

#include "collectives/comm.h"

namespace stepmark {

[[nodiscard]] std::unique_ptr<Comm> make_cuda_self_comm();

}  // namespace stepmark
