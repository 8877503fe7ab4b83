// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stepmark {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(CompletionTest, HoldsEveryCommandAndItsOptions) {
  const std::vector<CommandWords> commands{
      {.name = "run", .help = "Measure", .options = {"--suite", "--out"}},
      {.name = "list", .help = "List", .options = {}}};
  const std::string bash = completion_script("bash", commands);
  EXPECT_THAT(bash, HasSubstr("\"run list --help --version\""));
  EXPECT_THAT(bash, HasSubstr("run) words=\"--suite --out\" ;;"));
  EXPECT_THAT(bash, HasSubstr("list) words=\"\" ;;"));
  EXPECT_THAT(bash, Not(HasSubstr("@")));  // no placeholder is left
  const std::string zsh = completion_script("zsh", commands);
  EXPECT_THAT(zsh, StartsWith("autoload -U +X bashcompinit"));
  EXPECT_THAT(zsh, HasSubstr(bash));
}

}  // namespace
}  // namespace stepmark
