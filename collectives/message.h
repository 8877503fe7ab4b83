// SPDX-License-Identifier: Apache-2.0
// A message from one rank of a group to another, or one each way, as stages of a pipeline send
// them; and an exchange of rows by counts that are given, as ranks that share experts have it.
// Verified as collectives are, but none of the list: no rule says who sends how much to whom, so
// the setup of each rank does.
#pragma once

#include "collectives/collective.h"

namespace stepmark {

// S = bytes of a message. Setups name send_peer, recv_peer or both; sizes are those of a rank. What
// is sent follows from seed, sender and receiver, so that a message of somebody else is wrong.
extern const Collective kMessage;

// S = bytes that this rank sends, or receives where that is more. Setups have send_counts and
// recv_counts of their rank, elements by peer, in whose order they lie in the buffers.
extern const Collective kExchange;

}  // namespace stepmark
