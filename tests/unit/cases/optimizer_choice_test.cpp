// SPDX-License-Identifier: Apache-2.0
// When the overlapped form of the optimizer is taken. What a case records of it: cases_mpi_test.
#include "harness/cases/optimizer_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "case_fixture.h"
#include "harness/cases/families/step.h"

namespace stepmark {
namespace {

TEST(OptimizerTrial, TheOverlappedFormHasToWinEveryRoundAndByMoreThanNoise) {
  EXPECT_TRUE(overlapped_is_faster({{10, 10, 10, 10}, {9, 9, 9, 9}}));
  EXPECT_FALSE(overlapped_is_faster({{10, 10, 10, 10}, {10, 10, 10, 10}}));
  EXPECT_FALSE(overlapped_is_faster({{10, 10, 10, 10}, {9.95, 9.95, 9.95, 9.95}}));
  EXPECT_FALSE(overlapped_is_faster({{10, 10, 10, 10}, {8, 8, 10, 10.5}}));
  EXPECT_FALSE(overlapped_is_faster({{9, 9}, {10, 10}}));
  EXPECT_FALSE(overlapped_is_faster({}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(overlapped_is_faster({{10, 10}, {nan, nan}}));
}

TEST(OptimizerTrial, TakesAQuarterOfTheBudgetAtMost) {
  EXPECT_EQ(trial_rounds(10, 0.001), 5);
  EXPECT_EQ(trial_rounds(10, 0.25), 2);
  EXPECT_EQ(trial_rounds(10, 0.7), 0);
  EXPECT_EQ(trial_rounds(0, 0.1), 0);
  EXPECT_EQ(trial_rounds(10, 0), 5);
}

Workload small_workload() {
  Workload workload;
  workload.name = "small";
  workload.model = {.name = "small",
                    .layers = 3,
                    .hidden = 32,
                    .heads = 4,
                    .kv_heads = 4,
                    .head_dim = 8,
                    .ffn = 64,
                    .vocab = 101,
                    .max_seq = 8};
  return workload;
}

class StepCaseOptimizer : public ::testing::Test {
 protected:
  Record measure(const std::string& plan, double budget_s = 1.0) {
    return measure(small_workload(), plan, budget_s);
  }
  Record measure(const Workload& workload, const std::string& plan, double budget_s = 1.0) {
    const auto step = make_step_case(workload, resolve(parse_plan(plan), workload.model, 1));
    CaseContext context = bench_.context(*control_, *world_);
    context.rule.budget_s = budget_s;
    Record record = test::completed(step->run(context), *step);
    EXPECT_EQ(record.outcome, Outcome::ok) << record.reason;
    return record;
  }
  static bool has_stream(const Record& record, std::string_view stream) {
    return std::any_of(record.timeline.begin(), record.timeline.end(),
                       [&](const TimelineSpan& span) { return span.stream == stream; });
  }

  test::CaseBench bench_;
  std::unique_ptr<Control> control_ = make_solo_control();
  std::unique_ptr<Comm> world_ = make_self_comm();
};

TEST_F(StepCaseOptimizer, RecordsSayWhatTheStepDid) {
  const Record beside = measure("bucket_mib=0.01,clip=0,optimizer_overlap=on");
  EXPECT_EQ(beside.text("optimizer_form"), "overlapped");
  EXPECT_EQ(beside.text("optimizer_choice"), "as the plan says");
  EXPECT_EQ(beside.text("gradient_norm"), "not computed: nothing uses it");
  EXPECT_FALSE(beside.number("gradient_norm"));
  EXPECT_TRUE(has_stream(beside, "optimizer-low"));
  EXPECT_GE(beside.number("optimizer_overlapped_s").value_or(-1), 0.0);

  const Record serial = measure("bucket_mib=0.01,clip=0.5,optimizer_overlap=off");
  EXPECT_EQ(serial.text("optimizer_form"), "serial");
  EXPECT_EQ(serial.text("gradient_norm"), "computed, clipped to 0.5");
  EXPECT_GT(serial.number("gradient_norm").value_or(0), 0.0);
  EXPECT_FALSE(has_stream(serial, "optimizer-low"));
  EXPECT_EQ(serial.number("optimizer_overlapped_s"), 0.0);
  EXPECT_EQ(measure("clip=0,grad_norm=on").text("gradient_norm"), "computed, not clipped");
}

// Parts of the split are those of one timeline: they add up to its step whatever ran beside.
TEST_F(StepCaseOptimizer, PartsAddUpToTheStepWithOverlap) {
  for (const char* clip : {"clip=0", "clip=1"}) {
    const Record record =
        measure(std::string("bucket_mib=0.01,optimizer_overlap=on,micro_batch=4,") + clip);
    double sum = 0;
    for (const TimePart& part : record.split) sum += part.seconds;
    double end = 0;
    for (const TimelineSpan& span : record.timeline) end = std::max(end, span.end_s);
    EXPECT_NEAR(sum, end, 1e-9) << clip;
  }
}

TEST_F(StepCaseOptimizer, TakesTheFasterFormUnlessTold) {
  const Record tried = measure("bucket_mib=0.01,clip=0");
  ASSERT_TRUE(tried.number("step_serial_s"));
  ASSERT_TRUE(tried.number("step_overlapped_s"));
  EXPECT_THAT(tried.text("optimizer_choice"), testing::StartsWith("tried: serial "));
  const bool overlapped = tried.text("optimizer_form") == "overlapped";
  EXPECT_EQ(has_stream(tried, "optimizer-low"), overlapped);
  if (overlapped) {
    EXPECT_LT(*tried.number("step_overlapped_s"), *tried.number("step_serial_s"));
  }

  const Record no_time = measure("bucket_mib=0.01,clip=0", 1e-6);
  EXPECT_EQ(no_time.text("optimizer_form"), "serial");
  EXPECT_THAT(no_time.text("optimizer_choice"), testing::StartsWith("not tried: "));
  EXPECT_FALSE(no_time.number("step_serial_s"));

  // Weights of norms alone are not worth a stream.
  Workload wide = small_workload();
  wide.model.ffn = 2048;
  const Record one_bucket = measure(wide, "clip=0");
  EXPECT_EQ(one_bucket.text("optimizer_form"), "serial");
  EXPECT_THAT(one_bucket.text("optimizer_choice"), testing::StartsWith("nothing to overlap"));
}

}  // namespace
}  // namespace stepmark
