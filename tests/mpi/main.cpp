// SPDX-License-Identifier: Apache-2.0
// Runs the tests of this program on every rank. A rank that fails makes all fail; a rank that
// throws ends the job, since the others may be waiting for it.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "collectives/mpi/mpi_runtime.h"
#include "core/error.h"

int main(int argc, char** argv) {
  stepmark::MpiRuntime runtime(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(catch_exceptions, false);
  try {
    const auto control = stepmark::make_mpi_control();
    if (control->rank() != 0) {  // failures of other ranks still print
      auto& listeners = testing::UnitTest::GetInstance()->listeners();
      delete listeners.Release(listeners.default_result_printer());
      class FailurePrinter : public testing::EmptyTestEventListener {
        void OnTestPartResult(const testing::TestPartResult& result) override {
          if (!result.failed()) return;
          std::fprintf(stderr, "rank %d: %s:%d: %s\n", stepmark::identity().rank,
                       result.file_name(), result.line_number(), result.message());
        }
      };
      listeners.Append(new FailurePrinter);  // the listeners own it
    }
    std::array<double, 1> failed{RUN_ALL_TESTS() == 0 ? 0.0 : 1.0};
    control->max_in_place(failed);
    return failed[0] == 0.0 ? 0 : 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    runtime.abort(1);
  }
}
