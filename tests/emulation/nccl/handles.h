// SPDX-License-Identifier: Apache-2.0
// ncclComm_t as keys of a table: a handle that is unknown or gone is an error, never a crash.
#pragma once

#include <memory>

#include "tests/emulation/nccl/state.h"

namespace stepmark::emulation {

[[nodiscard]] ncclComm_t add_handle(std::shared_ptr<State> state);
[[nodiscard]] std::shared_ptr<State> state_of(ncclComm_t comm);  // null for an unknown handle
[[nodiscard]] std::shared_ptr<State> remove_handle(ncclComm_t comm);

}  // namespace stepmark::emulation
