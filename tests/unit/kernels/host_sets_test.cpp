// SPDX-License-Identifier: Apache-2.0
// Which instruction set computes: the choice among made-up sets, and what this binary has.
#include "kernels/host/sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "core/error.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

constexpr std::array<HostSet, 3> kSets{HostSet{"x86-64-v2", true, nullptr},
                                       HostSet{"x86-64-v3", true, nullptr},
                                       HostSet{"x86-64-v4", false, nullptr}};

std::string_view chosen(std::span<const HostSet> sets, const std::optional<std::string>& wanted) {
  return choose_set(sets, wanted).name;
}

void expect_refused(std::span<const HostSet> sets, const std::optional<std::string>& wanted,
                    ExitCode code, const std::string& words) {
  try {
    (void)choose_set(sets, wanted);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.message(), HasSubstr(words));
  }
}

TEST(HostSets, TheStrongestThatRunsHere) {
  EXPECT_EQ(chosen(kSets, std::nullopt), "x86-64-v3");
  EXPECT_EQ(chosen(std::span(kSets).first(1), std::nullopt), "x86-64-v2");
}

TEST(HostSets, AWeakerOneWhereItIsAskedFor) {
  EXPECT_EQ(chosen(kSets, "x86-64-v2"), "x86-64-v2");
  EXPECT_EQ(chosen(kSets, "x86-64-v3"), "x86-64-v3");
}

TEST(HostSets, WhatTheProcessorLacksIsRefused) {
  expect_refused(kSets, "x86-64-v4", ExitCode::kUsage,
                 "STEPMARK_INSTRUCTION_SET=x86-64-v4: this processor does not have it; of what the "
                 "binary has, run here: x86-64-v2, x86-64-v3");
}

TEST(HostSets, WhatTheBinaryLacksIsRefused) {
  for (const char* name : {"avx2", "", "x86-64-v33"}) {
    expect_refused(
        kSets, name, ExitCode::kUsage,
        "it has x86-64-v2, x86-64-v3, x86-64-v4, of which run here: x86-64-v2, x86-64-v3");
  }
}

TEST(HostSets, NoneThatRuns) {
  expect_refused(std::span(kSets).last(1), std::nullopt, ExitCode::kEnvironment,
                 "built for x86-64-v4, and this processor has none of them");
}

TEST(HostSets, ThisBinaryHasAKernelPerOpInEach) {
  ASSERT_FALSE(host_sets().empty());
  for (const HostSet& set : host_sets()) {
    for (const OpInfo* info : all_ops()) {
      EXPECT_NE(set.kernels[static_cast<std::size_t>(info->id)], nullptr)
          << set.name << " " << info->name;
    }
  }
  for (std::size_t i = 1; i < host_sets().size(); ++i) {
    EXPECT_NE(host_sets()[i].kernels[0], host_sets()[i - 1].kernels[0]) << "compiled once only";
  }
  EXPECT_EQ(host_kernel(OpId::gemm), host_set().kernels[static_cast<std::size_t>(OpId::gemm)]);
}

}  // namespace
}  // namespace stepmark
