// SPDX-License-Identifier: Apache-2.0
#include "collectives/nccl/tuning_log.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace stepmark {
namespace {

// The forms are those of the format strings in libnccl 2.28.9.
constexpr std::string_view kLog =
    "node7:4211:4300 [0] NCCL INFO Comm config Blocking set to 1\n"
    "node7:4211:4300 [0] NCCL INFO AllReduce: 4096 Bytes -> Algo TREE proto LL "
    "channel{Lo..Hi}={0..1}\n"
    "node7:4211:4300 [0] NCCL INFO AllReduce: 1073741824 Bytes -> Algo NVLS proto SIMPLE "
    "channel{Lo..Hi}={0..15}\r\n"
    "node7:4211:4300 [0] NCCL INFO AllGather [Symmetric]: 8192 Bytes -> Kernel AllGather_LL "
    "nchannels 4 nthreads 512 nWorks 1\n"
    "node7:4211:4300 [0] NCCL INFO AllReduce: 4096 Bytes -> Algo RING proto LL128 "
    "channel{Lo..Hi}={2..3}";

TEST(TuningLog, ReadsWhatNcclWrites) {
  const auto choices = parse_tuning_log(kLog);
  ASSERT_EQ(4U, choices.size());
  EXPECT_EQ((CollectiveChoice{"AllReduce", 4096, "TREE", "LL", 2}), choices[0]);
  EXPECT_EQ((CollectiveChoice{"AllReduce", 1073741824, "NVLS", "SIMPLE", 16}), choices[1]);
  EXPECT_EQ((CollectiveChoice{"AllGather", 8192, "AllGather_LL", "", 4}), choices[2]);
  EXPECT_EQ((CollectiveChoice{"AllReduce", 4096, "RING", "LL128", 2}), choices[3]);
}

TEST(TuningLog, TheLatestChoiceOfASizeCounts) {
  const auto choices = parse_tuning_log(kLog);
  EXPECT_EQ("RING", choice_of(choices, Verb::all_reduce, 4096)->algorithm);
  EXPECT_EQ("AllGather_LL", choice_of(choices, Verb::all_gather, 8192)->algorithm);
  EXPECT_FALSE(choice_of(choices, Verb::all_reduce, 4097));
  EXPECT_FALSE(choice_of(choices, Verb::reduce, 4096));
  EXPECT_FALSE(choice_of(choices, Verb::all_to_all, 4096));
  EXPECT_FALSE(choice_of({}, Verb::all_reduce, 4096));
}

TEST(TuningLog, PassesOverWhatItDoesNotKnow) {
  for (const std::string_view line :
       {"", "\n\n", "AllReduce", "AllReduce: 5 Bytes -> ", ": 5 Bytes -> Algo A proto B",
        "AllReduce: x Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1}",
        "AllReduce: -5 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1}",
        "AllReduce: 5 Bytes -> Algo  proto LL channel{Lo..Hi}={0..1}",
        "AllReduce: 5 Bytes -> Algo RING proto LL channel{Lo..Hi}={3..1}",
        "AllReduce: 5 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..2147483647}",
        "AllReduce: 99999999999999999999 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1}",
        "AllReduce [Symmetric]: 5 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1}",
        "AllReduce: 5 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1"}) {
    EXPECT_TRUE(parse_tuning_log(line).empty()) << line;
  }
}

// Damaged logs: bytes changed, lost and doubled at random. Every choice that is still read is one
// that can be meant.
TEST(TuningLog, DamageDoesNoHarm) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(kLog);
    for (int i = 0; i < 4; ++i) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 40);
          break;
        default:
          text.insert(at, text.substr(at, random() % 40));
      }
      if (text.empty()) break;
    }
    for (const CollectiveChoice& choice : parse_tuning_log(text)) {
      EXPECT_FALSE(choice.collective.empty());
      EXPECT_FALSE(choice.algorithm.empty());
      EXPECT_GE(choice.bytes, 0);
      EXPECT_GE(choice.channels, 0);
    }
  }
}

}  // namespace
}  // namespace stepmark
