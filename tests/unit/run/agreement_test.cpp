// SPDX-License-Identifier: Apache-2.0
#include "harness/run/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/together.h"
#include "tests/unit/core/thread_control.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

// What each rank's comparison came to: "", "quiet" or the message.
std::vector<std::string> compared(int ranks, const std::function<FlatConfig(int rank)>& notes) {
  std::vector<std::string> told;
  for (const auto& thrown : run_ranks(
           ranks, [&](ThreadControl& control) { compare_notes(control, notes(control.rank())); })) {
    try {
      if (thrown) std::rethrow_exception(thrown);
      told.emplace_back();
    } catch (const QuietStop& stop) {
      EXPECT_EQ(stop.code, ExitCode::kUsage);
      told.emplace_back("quiet");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      told.push_back(error.message());
    }
  }
  return told;
}

TEST(AgreementTest, EqualNotesAreNoError) {
  const auto told = compared(4, [](int) { return FlatConfig{{"a", "1"}, {"b", "2"}}; });
  EXPECT_THAT(told, testing::Each(""));
}

TEST(AgreementTest, NamesRanksKeyAndValues) {
  const auto told = compared(8, [](int rank) {
    return FlatConfig{{"a", "1"}, {"b", rank % 2 == 0 || rank > 4 ? "x" : "y"}, {"c", "3"}};
  });
  EXPECT_THAT(told[0], HasSubstr("b: 'x' on ranks 0, 2, 4-7, 'y' on ranks 1, 3"));
  for (int rank = 1; rank < 8; ++rank) EXPECT_EQ(told[static_cast<std::size_t>(rank)], "quiet");
}

TEST(AgreementTest, TheFirstKeyOfAllDifferencesIsNamed) {
  const auto told = compared(3, [](int rank) {
    return FlatConfig{{"a", rank == 2 ? "other" : "1"}, {"b", rank == 1 ? "other" : "2"}};
  });
  EXPECT_THAT(told[0], HasSubstr("a: '1' on ranks 0-1, 'other' on rank 2"));
}

TEST(AgreementTest, KeysThatOnlySomeHave) {
  const auto told = compared(2, [](int rank) {
    return rank == 0 ? FlatConfig{{"a", "1"}} : FlatConfig{{"a", "1"}, {"new", "2"}};
  });
  EXPECT_THAT(told[0], HasSubstr("new: nothing on rank 0, '2' on rank 1"));
}

TEST(AgreementTest, LongValuesAreShortenedAndForeignBytesSurvive) {
  const auto told = compared(2, [](int rank) {
    return FlatConfig{{"a", rank == 0 ? std::string(5000, 'x') : std::string("\xfc")}};
  });
  EXPECT_LT(told[0].size(), 600U);
  EXPECT_THAT(told[0], HasSubstr("..."));
}

TEST(AgreementTest, VariablesOfAHostMayDiffer) {
  for (const char* name :
       {"NCCL_ALGO", "NCCL_PROTO", "NCCL_MAX_CTAS", "OMPI_MCA_coll_tuned_x", "STEPMARK_ATTENTION",
        "STEPMARK_GEMM_REDUCTION", "STEPMARK_INSTRUCTION_SET"}) {
    EXPECT_TRUE(variable_must_agree(name)) << name;
  }
  for (const char* name : {"NCCL_SOCKET_IFNAME", "NCCL_IB_HCA", "NCCL_DEBUG", "NCCL_DEBUG_FILE",
                           "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "UCX_NET_DEVICES", "HOME"}) {
    EXPECT_FALSE(variable_must_agree(name)) << name;
  }
}

TEST(FlatConfigTest, FilesAreTakenApart) {
  const nlohmann::json echo{
      {"suite_file", "suite: s # c\ncases:\n  - family: step\n    plan: [a, b]\n"},
      {"only", {"x"}},
      {"workloads", {{"tiny", "model: {layers: 2}\n"}}}};
  const FlatConfig flat = flatten_config(echo);
  using Entry = std::pair<std::string, std::string>;
  EXPECT_THAT(flat, testing::UnorderedElementsAre(Entry{"suite file: suite", "s"},
                                                  Entry{"suite file: cases[0].family", "step"},
                                                  Entry{"suite file: cases[0].plan[0]", "a"},
                                                  Entry{"suite file: cases[0].plan[1]", "b"},
                                                  Entry{"only", R"(["x"])"},
                                                  Entry{"workload tiny: model.layers", "2"}));
}

TEST(FlatConfigTest, ATextThatIsNoYamlIsOneValue) {
  const FlatConfig flat = flatten_config({{"suite_file", "a: [1"}});
  ASSERT_EQ(flat.size(), 1U);
  EXPECT_EQ(flat[0].first, "suite file");
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "[";
  EXPECT_EQ(flatten_config({{"suite_file", deep}}).size(), 1U);
}

}  // namespace
}  // namespace stepmark
