// SPDX-License-Identifier: Apache-2.0
// Tests that need a GPU: without one they are skipped (exit code 77), with the reason.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/gpu/test_deadline.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess || devices == 0) {
    std::printf("skipped: no GPU: %s\n",
                status == cudaSuccess ? "the driver shows none" : cudaGetErrorString(status));
    return 77;
  }
  stepmark::test::keep_test_deadline();
  return RUN_ALL_TESTS();
}
