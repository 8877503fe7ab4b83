// SPDX-License-Identifier: Apache-2.0
// A test that never ends, for the test of deadlines: it passes by failing, with its name.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/gpu/test_deadline.h"

namespace {

TEST(Endless, EndsInTime) {}

TEST(Endless, Hangs) { std::this_thread::sleep_for(std::chrono::hours(1)); }

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  stepmark::test::keep_test_deadline();
  return RUN_ALL_TESTS();
}
