// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/rng.h"
#include "tests/unit/core/thread_control.h"

namespace stepmark {
namespace {

// A clock that only the body moves: by what an iteration takes.
struct FakeTime {
  double now_s = 0;
  [[nodiscard]] Clock clock() {
    return [this] { return now_s; };
  }
  // A body of `seconds(i)` for the i-th call.
  [[nodiscard]] Body body(std::function<double(int)> seconds) {
    return [this, seconds = std::move(seconds), call = 0]() mutable {
      const double took = seconds(call++);
      now_s += took;
      return took;
    };
  }
};

double noisy(int call) {
  return 0.01 * (1 + 0.1 * Philox(3, 0).normal(static_cast<unsigned>(call)));
}

TEST(Sampler, StopsWhenPreciseEnough) {
  FakeTime time;
  const auto control = make_solo_control();
  double last_half_width = 1;
  int last_samples = 0;
  const Samples samples =
      sample(*control, {.precision = 0.02, .budget_s = 1e6, .span_s = 0, .warmup = 3},
             time.body(noisy), time.clock(), [&](int count, double half_width) {
               EXPECT_GT(count, last_samples);
               last_samples = count;
               last_half_width = half_width;
             });
  EXPECT_EQ(samples.reason, StopReason::precision);
  EXPECT_EQ(samples.warmup, 3);
  EXPECT_LE(last_half_width, 0.02);
  EXPECT_EQ(last_samples, static_cast<int>(samples.time_s.size()));
  EXPECT_EQ(samples.time_s.front(), noisy(3)) << "warm-up is thrown away";
  // sd 10 %, median's standard error 1.25 sd / sqrt(n): 2 % half-width needs about 150.
  EXPECT_GT(samples.time_s.size(), 90U);
  EXPECT_LT(samples.time_s.size(), 260U);
}

TEST(Sampler, ConstantTimesStopAtTheFewestSamples) {
  FakeTime time;
  const auto control = make_solo_control();
  const Samples samples = sample(*control, {.min_samples = 12, .budget_s = 1e6},
                                 time.body([](int) { return 0.5; }), time.clock());
  EXPECT_EQ(samples.reason, StopReason::precision);
  EXPECT_GE(samples.time_s.size(), 40U) << "fewer effective samples do not stop for precision";
  EXPECT_LE(samples.time_s.size(), 50U);
  EXPECT_FALSE(samples.few_effective);
}

TEST(Sampler, SpreadsTheSamplesOfShortIterations) {
  FakeTime time;
  const auto control = make_solo_control();
  // States of 0.1 s: 40 samples in a row would see one of them.
  const auto in_states = [&](int) { return std::fmod(time.now_s, 0.2) < 0.1 ? 1e-5 : 2e-5; };
  const Samples samples = sample(*control, {.budget_s = 1e6, .span_s = 1, .warmup = 1},
                                 time.body(in_states), time.clock());
  EXPECT_GT(time.now_s, 1);
  ASSERT_EQ(samples.calls.size(), samples.time_s.size());
  EXPECT_GT(samples.iterations, samples.calls.back());
  EXPECT_GE(samples.calls.front(), samples.warmup);
  for (std::size_t i = 1; i < samples.calls.size(); ++i) {
    EXPECT_GT(samples.calls[i], samples.calls[i - 1]);
  }
  const auto slow = std::count(samples.time_s.begin(), samples.time_s.end(), 2e-5);
  EXPECT_GT(slow, static_cast<long>(samples.time_s.size()) / 4);
}

TEST(Sampler, StopsAtTheMostSamples) {
  FakeTime time;
  const auto control = make_solo_control();
  const Samples samples =
      sample(*control, {.precision = 1e-6, .max_samples = 57, .budget_s = 1e6, .span_s = 0},
             time.body(noisy), time.clock());
  EXPECT_EQ(samples.reason, StopReason::max_samples);
  EXPECT_EQ(samples.time_s.size(), 57U);
}

TEST(Sampler, KeepsWithinItsBudget) {
  FakeTime time;
  const auto control = make_solo_control();
  const Samples samples =
      sample(*control, {.precision = 1e-6, .budget_s = 2.0}, time.body(noisy), time.clock());
  EXPECT_EQ(samples.reason, StopReason::budget);
  EXPECT_LT(time.now_s, 2.0 + 0.02);
  EXPECT_GT(time.now_s, 1.8);
}

TEST(Sampler, TakesOneSampleHoweverSmallTheBudget) {
  FakeTime time;
  const auto control = make_solo_control();
  for (const int warmup : {0, 1}) {
    const Samples samples = sample(*control, {.budget_s = 0.1, .warmup = warmup},
                                   time.body([](int) { return 5.0; }), time.clock());
    EXPECT_EQ(samples.reason, StopReason::budget);
    EXPECT_THAT(samples.time_s, testing::ElementsAre(5.0));
  }
}

TEST(Sampler, RefusesImpossibleTimes) {
  const auto control = make_solo_control();
  for (const double bad : {-1.0, std::nan(""), HUGE_VAL}) {
    EXPECT_THROW(static_cast<void>(sample(
                     *control, {}, [&] { return bad; }, steady_clock_seconds)),
                 Error);
  }
}

TEST(SamplerRanks, SampleIsTheSlowestRankAndAllAgree) {
  constexpr int kRanks = 3;
  std::vector<Samples> got(kRanks);
  std::vector<int> barriers(kRanks);
  std::vector<int> calls(kRanks);
  // Clocks and budgets of other ranks must not matter: rank 2's clock is far over budget.
  const auto thrown = run_ranks(kRanks, [&](ThreadControl& control) {
    const auto me = static_cast<std::size_t>(control.rank());
    double now_s = 0;
    const Body body = [&, call = 0]() mutable {
      ++calls[me];
      // The slowest rank changes from one iteration to the next.
      const double took = 0.010 + ((call++ + control.rank()) % kRanks == 0 ? 0.005 : 0.0);
      now_s += took;
      return took;
    };
    const Clock clock = [&] { return control.rank() == 2 ? 1e9 * now_s : now_s; };
    got[me] = sample(control, {.precision = 1e-9, .max_samples = 40, .budget_s = 1e3}, body, clock);
    barriers[me] = control.barriers;
  });
  EXPECT_THAT(thrown, testing::Each(nullptr));
  for (std::size_t rank = 0; rank < kRanks; ++rank) {
    EXPECT_EQ(got[rank].time_s, got[0].time_s);
    EXPECT_EQ(got[rank].reason, got[0].reason);
    EXPECT_EQ(barriers[rank], calls[rank]) << "one barrier before each iteration";
  }
  EXPECT_THAT(got[0].time_s, testing::Each(testing::DoubleEq(0.015)));
}

std::string text_of(const std::exception_ptr& thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const PeerError& error) {
    return "peer: " + error.message();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing";
}

TEST(SamplerRanks, AFailureOnOneRankEndsAll) {
  for (const int failing_call : {0, 1, 2, 7, 11}) {  // warm-up, first sample, within a batch
    std::vector<int> calls(4);
    const auto thrown = run_ranks(4, [&](ThreadControl& control) {
      const Body body = [&] {
        const int call = calls[static_cast<std::size_t>(control.rank())]++;
        if (control.rank() == 2 && call == failing_call) throw std::runtime_error("GPU fell off");
        return 0.01 * (1 + call % 3);
      };
      double now_s = 0;
      const Clock clock = [&] { return now_s += 1e-4; };
      static_cast<void>(sample(control, {.precision = 1e-9, .max_samples = 20}, body, clock));
    });
    EXPECT_EQ(text_of(thrown[2]), "GPU fell off");
    for (const std::size_t other : {0U, 1U, 3U}) {
      EXPECT_THAT(text_of(thrown[other]), testing::StartsWith("peer: rank 2 failed"));
      EXPECT_EQ(calls[other], failing_call + 1) << "nobody enters the next body";
    }
  }
}

TEST(SamplerRanks, EveryFailingRankKeepsItsOwnMessage) {
  const auto thrown = run_ranks(3, [&](ThreadControl& control) {
    const Body body = [&]() -> double {
      if (control.rank() > 0) throw std::runtime_error("from " + std::to_string(control.rank()));
      return 1;
    };
    static_cast<void>(sample(control, {}, body, steady_clock_seconds));
  });
  EXPECT_EQ(text_of(thrown[1]), "from 1");
  EXPECT_EQ(text_of(thrown[2]), "from 2");
  EXPECT_THAT(text_of(thrown[0]), testing::StartsWith("peer: rank 2 failed"));
}

}  // namespace
}  // namespace stepmark
