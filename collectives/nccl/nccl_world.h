// SPDX-License-Identifier: Apache-2.0
// The world's Comm over NCCL. The calling thread's current CUDA device is this rank's GPU.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "collectives/comm.h"
#include "core/control.h"

namespace stepmark {

// NCCL's NCCL_CTA_POLICY_*: how it chooses thread blocks.
enum class NcclCtaPolicy : std::uint8_t { standard, efficiency, zero };

struct NcclSettings {
  double deadline_s = 120.0;  // for all ranks to join a communicator
  // Several ranks of a host use one GPU. NCCL refuses that unless each rank seems to be a host of
  // its own: make_nccl_world then sets the variables of that recipe in the environment. Data go
  // through sockets and the GPU is time-sliced between the ranks: right results, meaningless times;
  // facts() say "topology" = "single-gpu-timesliced".
  bool shared_gpu = false;
  std::string job_id;  // part of the host's made-up name; empty: rank 0 makes one up
  std::optional<NcclCtaPolicy> cta_policy{};  // of the world and of what is split from it
  // With a path, NCCL writes what it chooses to this file of this process; see NcclComm::choice_of.
  // Logging costs time in every call: not for timed runs. One path per process.
  std::string tuning_log;
  // The same for what NCCL says while it starts and connects (transport_log.h), which costs no time
  // later. Of no effect with tuning_log, which has these lines too.
  std::string transport_log;
};

class NcclComm;
class NcclLibrary;

// Collective over `control`. Every rank gets its Comm, or every rank an Error(kEnvironment) with
// the reasons of those that failed; after at most the deadline, also when a rank does not come.
// Comms, and what register_buffer returned, must be destroyed after the tasks and graphs that use
// them and while the CUDA device is still there. Once per process: NCCL reads its environment once.
[[nodiscard]] std::unique_ptr<Comm> make_nccl_world(Control& control, const NcclSettings& settings);
// The same with the class, and with a library that is already open.
[[nodiscard]] std::unique_ptr<NcclComm> make_nccl_comm(
    Control& control, const NcclSettings& settings,
    const std::shared_ptr<const NcclLibrary>& library);

}  // namespace stepmark
