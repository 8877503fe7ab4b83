// SPDX-License-Identifier: Apache-2.0
// The one world of a test program under mpirun: control, GPU and communicator, made by main.cpp.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <span>

#include "collectives/nccl/nccl_comm.h"
#include "collectives/sweep.h"
#include "collectives/verify.h"
#include "core/control.h"
#include "harness/exec/cuda/cuda_device.h"

namespace stepmark::test {

struct World {
  std::unique_ptr<Control> control;
  std::unique_ptr<CudaDevice> device;
  NcclSettings settings;
  std::unique_ptr<Comm> comm;
};
[[nodiscard]] World& world();

// One verified run of a collective; all ranks of the group call it alike.
inline void run_case(Comm& comm, Stream& stream, const Collective& c,
                     const CollectiveSetup& setup) {
  CollectiveBuffers buffers(*world().device, c, setup, comm.rank(), comm.size());
  buffers.fill();
  buffers.submit(comm, stream);
  stream.synchronize();
  const Verification v = buffers.verify();
  // Nothing was moved, nothing may be damaged, and nothing is called checked.
  const bool nothing = v.moves_data && v.checked == 0;
  EXPECT_EQ(v.ok(), !nothing) << case_name(c, setup) << " on " << comm.size()
                              << " ranks: " << v.describe();
  EXPECT_TRUE(v.guards_intact && v.send_intact) << v.describe();
}

// Every placement and operator that the collective has.
template <class Visit>
void for_each_form(const Collective& c, std::span<const ReduceOp> ops, Visit visit) {
  for (const ReduceOp op : c.reduces ? ops : ops.first(1)) {
    for (const bool in_place : {false, true}) {
      if (!in_place || c.supports_in_place) visit(op, in_place);
    }
  }
}

}  // namespace stepmark::test
