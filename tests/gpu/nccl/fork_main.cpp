// SPDX-License-Identifier: Apache-2.0
// For tests that fork ranks: asks for a GPU in a process of its own, since CUDA does not survive a
// fork.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "tests/gpu/test_deadline.h"

namespace {

bool has_gpu() {
  const pid_t child = fork();
  if (child == 0) {
    int devices = 0;
    _exit(cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0 ? 0 : 1);
  }
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!has_gpu()) {
    std::printf("skipped: no GPU\n");
    return 77;
  }
  stepmark::test::keep_test_deadline();
  return RUN_ALL_TESTS();
}
