// SPDX-License-Identifier: Apache-2.0
// Ranks as forked processes of a test, for tests in which one dies: mpirun would end them all. The
// parent must not have touched CUDA before.
#pragma once

#include <functional>
#include <vector>

#include "core/control.h"

namespace stepmark::test {

// Runs `rank_main` in `ranks` processes with a Control between them. What it throws, and a failed
// EXPECT in it, is printed and makes its status 1. Processes that still run after `limit_s` are
// killed, which fails the test. The result is waitpid()'s status of each.
[[nodiscard]] std::vector<int> run_forked(int ranks, double limit_s,
                                          const std::function<void(Control&)>& rank_main);

}  // namespace stepmark::test
