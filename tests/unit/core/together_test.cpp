// SPDX-License-Identifier: Apache-2.0
#include "core/together.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/unit/core/thread_control.h"

namespace stepmark {
namespace {

// What a rank's exception was: "error N: message", "quiet N" or "".
std::string told(const std::exception_ptr& thrown) {
  if (!thrown) return {};
  try {
    std::rethrow_exception(thrown);
  } catch (const QuietStop& stop) {
    return fmt::format("quiet {}", static_cast<int>(stop.code));
  } catch (const Error& error) {
    return fmt::format("error {}: {}", static_cast<int>(error.code()), error.message());
  } catch (const std::exception& error) {
    return error.what();
  }
}

TEST(TogetherTest, AllGoOnWhenNobodyFails) {
  std::atomic<int> calls = 0;
  for (const auto& thrown : run_ranks(4, [&](ThreadControl& control) {
         together(control, [&] { ++calls; });
         together(control, [&] { ++calls; });
       })) {
    EXPECT_EQ(told(thrown), "");
  }
  EXPECT_EQ(calls, 8);
}

TEST(TogetherTest, LowestFailingRankSpeaksAndItsCodeHolds) {
  const auto thrown = run_ranks(4, [](ThreadControl& control) {
    together(control, [&] {
      if (control.rank() == 1) throw Error(ExitCode::kUsage, "from rank 1");
      if (control.rank() == 3) throw Error(ExitCode::kEnvironment, "from rank 3");
    });
  });
  EXPECT_EQ(told(thrown[0]), "quiet 2");
  EXPECT_EQ(told(thrown[1]), "error 2: from rank 1");
  EXPECT_EQ(told(thrown[2]), "quiet 2");
  EXPECT_EQ(told(thrown[3]), "quiet 2");
}

TEST(TogetherTest, OtherExceptionsAreTheEnvironmentsFault) {
  const auto thrown = run_ranks(2, [](ThreadControl& control) {
    together(control, [&] {
      if (control.rank() == 0) throw std::runtime_error("bad luck");
    });
  });
  EXPECT_EQ(told(thrown[0]), "bad luck");
  EXPECT_EQ(told(thrown[1]), "quiet 4");
}

}  // namespace
}  // namespace stepmark
