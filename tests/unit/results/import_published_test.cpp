// SPDX-License-Identifier: Apache-2.0
// What others published: the files that are shipped, all of them, and files with mistakes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "import_sample.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ImportSource shipped_file(const std::string& name) {
  return read_import_source(std::string(STEPMARK_PUBLISHED) + "/" + name + ".yaml");
}

Import shipped_figures(const std::string& name) {
  const ImportSource source = shipped_file(name);
  return import_files(std::vector{source});
}

double busbw(const Import& run, const std::string& collective, const std::string& set) {
  return find(run, fmt::format("collective/{}/unknown{}/16GiB/world16/{}", collective,
                               collective == "all_reduce" ? "/sum" : "", set))
      .metric("busbw")
      ->value.value_or(0);
}

TEST(ImportPublished, EveryShippedFileIsReadAndSaysWhereItIsFrom) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(STEPMARK_PUBLISHED)) {
    ++files;
    const Import run = shipped_figures(entry.path().stem().string());
    EXPECT_EQ(run.code, ExitCode::kOk) << entry.path();
    for (const Record& record : run.records) {
      EXPECT_EQ(record.provenance, Provenance::imported);
      EXPECT_NE(record.text("published_source"), "") << record.case_id;
      EXPECT_THAT(record.text("not_stated"), HasSubstr("clocks")) << record.case_id;
      EXPECT_EQ(record.repetition, 1) << record.case_id;
      // What is published of bandwidths is what follows of sizes and times.
      for (const std::string& label : record.labels) EXPECT_THAT(label, Not(HasSubstr("is not")));
    }
  }
  EXPECT_GE(files, 15U);
}

// The case that the README tells: bandwidths differ by up to 1.97x, the training step by 5.6 %.
TEST(ImportPublished, BandwidthsOfTwoProvidersDifferFarMoreThanTheirSteps) {
  const Import run = shipped_figures("h100");
  const auto ratio = [&](const char* collective) {
    return busbw(run, collective, "nvcre-aws-efa") / busbw(run, collective, "nvcre-gcp-tcpxo");
  };
  EXPECT_NEAR(ratio("all_reduce"), 1.45, 0.005);
  EXPECT_NEAR(ratio("all_gather"), 1.79, 0.005);
  EXPECT_NEAR(ratio("all_to_all"), 1.97, 0.005);
  const auto step = [&](const char* set) {
    return find(run, fmt::format("step/nemotron4-15b/gpus16/{}", set)).summary("time_s")->median;
  };
  EXPECT_NEAR(step("nvcre-gcp-tcpxo") / step("nvcre-aws-efa"), 1.056, 0.0005);
}

TEST(ImportPublished, TimesAreThoseThatArePublishedOrFollow) {
  const Import run = shipped_figures("h100");
  const Record& aws = find(run, "collective/all_reduce/unknown/sum/16GiB/world16/nvcre-aws-efa");
  EXPECT_NEAR(aws.summary("time_s")->median, 17179869184.0 * 1.875 / 487.87e9, 1e-9);
  EXPECT_EQ(aws.text("told_time"), "from the published bus bandwidth");
  const Record& step = find(run, "step/nemotron4-15b/gpus16/nvcre-aws-efa");
  EXPECT_EQ(step.number("told_goodput"), 0.90);
  EXPECT_FALSE(step.metric("mfu")->value.has_value());  // nobody said at which power
}

TEST(ImportPublished, MistakesNameTheirLine) {
  const std::string good =
      "published: x\nsets:\n  - name: a\n    system: s\n    gpu: g\n    gpus: 8\n    source: o\n";
  const auto error = [&](const std::string& rest) {
    return import_error({{.path = "x.yaml", .content = good + rest}});
  };
  EXPECT_EQ(error("    collectives: [{collective: all_reduce, points: [1GiB 480 GB/s]}]\n"),
            "accepted");
  EXPECT_THAT(error("    collectives: [{collective: all_redcue, points: [1GiB 480 GB/s]}]\n"),
              HasSubstr("x.yaml:8:20: 'all_redcue' is no collective"));
  EXPECT_THAT(error("    collectives: [{collective: all_reduce, points: [1GiB 480]}]\n"),
              HasSubstr("expected SIZE TIME us or SIZE BUSBW GB/s"));
  EXPECT_THAT(error("    collectives: [{collective: all_reduce, points: [1GiB -4 us]}]\n"),
              HasSubstr("x.yaml:8:"));
  EXPECT_THAT(error("    collectives: [{collective: all_reduce, points: []}]\n"),
              HasSubstr("no points"));
  EXPECT_THAT(error("    collectives: [{collective: all_reduce, points: [1GB 4 us]}]\n"),
              HasSubstr("1GB"));
  EXPECT_THAT(error("    steps: [{model: m, time_s: 0}]\n"), HasSubstr("time_s"));
  EXPECT_THAT(error("    steps: [{model: m, time_s: 1, tokens: 3}]\n"), HasSubstr("tokens"));
  EXPECT_THAT(error("    kernels: [{op: gemm, shape: s, flops: 1}]\n"), HasSubstr("tflops_per_s"));
  EXPECT_THAT(error(""), HasSubstr("nothing was measured in it"));
}

}  // namespace
}  // namespace stepmark
