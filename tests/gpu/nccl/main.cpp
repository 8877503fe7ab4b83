// SPDX-License-Identifier: Apache-2.0
// Runs the tests of this program on every rank, over NCCL. A rank that fails makes all fail; one
// that throws ends the job. Without a GPU all ranks say so and succeed, since mpirun turns any
// other exit code into a failure: ctest sees the skip by the text.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "collectives/mpi/mpi_runtime.h"
#include "core/error.h"
#include "tests/gpu/nccl/world.h"
#include "tests/gpu/test_deadline.h"

namespace stepmark::test {

World& world() {
  static World instance;
  return instance;
}

namespace {

class FailurePrinter : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %d: %s:%d: %s\n", identity().rank, result.file_name(),
                 result.line_number(), result.message());
  }
};

// Failures of ranks other than 0 still print.
void quieten() {
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new FailurePrinter);  // the listeners own it
}

int run() {
  World& w = world();
  const DeviceChoice choice = choose_device(*w.control, /*allow_shared=*/true);
  w.device = make_cuda_device(choice.ordinal);
  w.device->make_current();
  w.settings = {.deadline_s = 60.0, .shared_gpu = choice.shared};
  w.comm = make_nccl_world(*w.control, w.settings);
  w.device->set_health_check([&w] { w.comm->check(); });
  if (w.control->rank() != 0) quieten();
  keep_test_deadline();
  std::array<double, 1> failed{RUN_ALL_TESTS() == 0 ? 0.0 : 1.0};
  w.control->max_in_place(failed);
  w.device->set_health_check({});
  w.comm = nullptr;
  w.device = nullptr;
  return failed[0] == 0.0 ? 0 : 1;
}

}  // namespace
}  // namespace stepmark::test

int main(int argc, char** argv) {
  stepmark::MpiRuntime runtime(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(catch_exceptions, false);
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess || devices == 0) {
    std::printf("skipped: no GPU: %s\n",
                status == cudaSuccess ? "the driver shows none" : cudaGetErrorString(status));
    return 0;
  }
  try {
    stepmark::test::world().control = stepmark::make_mpi_control();
    const int code = stepmark::test::run();
    stepmark::test::world().control = nullptr;
    return code;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    runtime.abort(1);
  }
}
