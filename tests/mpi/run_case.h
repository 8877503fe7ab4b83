// SPDX-License-Identifier: Apache-2.0
// One verified run of a collective. All ranks of the group must call it alike.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "collectives/sweep.h"
#include "collectives/verify.h"
#include "tests/mpi/test_device.h"

namespace stepmark::test {

// Keeps what is submitted, to run it later and more than once, as the executor does.
class RecordingStream final : public Stream {
 public:
  void submit(Task task) override { tasks_.push_back(std::move(task)); }
  void record(Event&) override {}
  void wait(Event&) override {}
  void synchronize() override {}
  std::string_view name() const override { return "recording"; }
  void replay() const {
    for (const Task& task : tasks_) task();
  }
  [[nodiscard]] std::size_t size() const { return tasks_.size(); }

 private:
  std::vector<Task> tasks_;
};

inline void run_case(Comm& comm, Stream& stream, const Collective& c,
                     const CollectiveSetup& setup) {
  HostMemoryDevice device;
  CollectiveBuffers buffers(device, c, setup, comm.rank(), comm.size());
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
