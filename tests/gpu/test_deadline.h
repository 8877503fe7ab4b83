// SPDX-License-Identifier: Apache-2.0
// A deadline for every test of a process, kept by the process itself: what hangs in a library or a
// driver ends, with the name of the test, whoever started the program.
#pragma once

#include <gtest/gtest.h>

namespace stepmark::test {

// From now on a test that does not end within STEPMARK_TEST_DEADLINE_S seconds (240 where it is not
// set) ends the process with exit code 1 and a line "[  FAILED  ] SUITE.TEST: no end within ...".
// In children made by fork nobody watches: their parent does (forked_ranks.h).
void keep_test_deadline();

}  // namespace stepmark::test
