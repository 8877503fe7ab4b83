// SPDX-License-Identifier: Apache-2.0
#include "harness/run/repeat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(RepeatState, ReachesTheSameProcessOnly) {
  const RepeatState state{.repetition = 3,
                          .journal = "folder/a \"b\".smk",
                          .began_s = 12345.678901234567,
                          .given_s = 98.76,
                          .done = 2,
                          .code = ExitCode::kNotMeasured};
  const auto back = repeat_state_from(to_text(state, 42), 42);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->repetition, 3);
  EXPECT_EQ(back->journal, state.journal);
  EXPECT_EQ(back->began_s, state.began_s);
  EXPECT_EQ(back->given_s, state.given_s);
  EXPECT_EQ(back->done, state.done);
  EXPECT_EQ(back->code, ExitCode::kNotMeasured);
  EXPECT_FALSE(repeat_state_from(to_text(state, 42), 43).has_value());
  for (const char* other : {"", "7", "{}", "[1]", "{\"process\":42,\"repetition\":\"x\"}"}) {
    EXPECT_FALSE(repeat_state_from(other, 42).has_value()) << other;
  }
}

TEST(Worse, AFailedCheckOverNotMeasuredOverGood) {
  EXPECT_EQ(worse(ExitCode::kOk, ExitCode::kNotMeasured), ExitCode::kNotMeasured);
  EXPECT_EQ(worse(ExitCode::kNotMeasured, ExitCode::kOk), ExitCode::kNotMeasured);
  EXPECT_EQ(worse(ExitCode::kNotMeasured, ExitCode::kCheckFailed), ExitCode::kCheckFailed);
  EXPECT_EQ(worse(ExitCode::kCheckFailed, ExitCode::kNotMeasured), ExitCode::kCheckFailed);
  EXPECT_EQ(worse(ExitCode::kOk, ExitCode::kOk), ExitCode::kOk);
}

Record record_of(const std::string& id, int repetition, Outcome outcome) {
  Record record;
  record.case_id = id;
  record.outcome = outcome;
  record.repetition = repetition;
  return record;
}

TEST(UnfinishedRepetitions, AreThoseInWhichACaseHasNoResult) {
  stepmark::Run run;
  run.header.cases = {"a", "b"};
  run.parts = {record_of("a", 1, Outcome::ok), record_of("a", 2, Outcome::ok),
               record_of("b", 1, Outcome::skipped), record_of("b", 2, Outcome::failed)};
  EXPECT_THAT(unfinished_repetitions(run, 1, 2), ElementsAre(2));
  EXPECT_THAT(unfinished_repetitions(run, 1, 4), ElementsAre(2, 3, 4));
  EXPECT_THAT(unfinished_repetitions(run, 3, 3), ElementsAre(3));
  EXPECT_THAT(unfinished_repetitions(run, 1, 1), IsEmpty());
}

TEST(Repeat, SharesTheBudgetAndNamesTheRepetition) {
  Repeat once;
  once.plan(nullptr, 1);
  EXPECT_EQ(once.name(), "");
  EXPECT_TRUE(once.is_last());
  EXPECT_EQ(once.trace_dir("traces"), "traces");
  EXPECT_NEAR(once.budget_s(10), 10, 1);
  Repeat thrice;
  thrice.plan(nullptr, 3);
  EXPECT_EQ(thrice.name(), "repetition 1 of 3");
  EXPECT_FALSE(thrice.is_last());
  EXPECT_EQ(thrice.trace_dir("traces"), "traces/repetition1");
  EXPECT_EQ(thrice.trace_dir(""), "");
  EXPECT_NEAR(thrice.budget_s(30), 10, 1);
  EXPECT_FALSE(thrice.continued());
}

TEST(Repeat, IsSpreadOverTime) {
  Repeat thrice;
  thrice.plan(nullptr, 3);
  EXPECT_EQ(thrice.pause_s(), 0);
  thrice.spread(3600);
  EXPECT_DOUBLE_EQ(thrice.budget_s(30), 10);
  EXPECT_NEAR(thrice.pause_s(), 1200, 10);
  thrice.stop();
  EXPECT_EQ(thrice.pause_s(), 0);
}

}  // namespace
}  // namespace stepmark
