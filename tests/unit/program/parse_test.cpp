// SPDX-License-Identifier: Apache-2.0
// Programs as text: what reads, where errors are placed, differences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"
#include "harness/program/text.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/replaced.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kProgram =
    R"(program rank=1 world=2 small rank 1
stream compute
stream dp
group dp index=1 ranks=0,1
group ep index=1 ranks=0,1
buffer params param fp32 16
buffer grads grad fp32 16
buffer tokens input int32 4
op 0 compute forward zero {zero dtype=fp32 elements=16} (params)
op 1 compute backward scale {triad dtype=fp32 elements=8 s=0.5} (params[0+8] params[8+8] grads[8+8])
op 2 dp gradient_sync grads {all_reduce axis=dp dtype=fp32 op=sum count=16} (grads grads) after 1
op 3 dp loss root {broadcast axis=dp dtype=fp32 op=sum count=4 root=0} (- grads[0+4])
op 4 dp optimizer pass {send_recv axis=dp dtype=fp32 op=sum count=4 send_peer=0 recv_peer=0} (params[0+4] grads[4+4]) after 0 1
op 5 compute forward swap {all_to_all_v axis=ep dtype=fp32 op=sum count=0 send_counts=1,2 recv_counts=3,0} (params[0+3] grads[0+3]) after 3 4
)";

std::string error_of(std::string_view text) {
  try {
    (void)parse_program(text, "p");
  } catch (const ConfigError& error) {
    return error.message();
  }
  return "no error";
}

TEST(Text, ReadsEveryFieldAndPrintsItBack) {
  const Program program = parse_program(kProgram);
  EXPECT_EQ(to_text(program), kProgram);
  EXPECT_EQ(program.name, "small rank 1");
  EXPECT_EQ(program.rank, 1);
  EXPECT_EQ(program.world_size, 2);
  EXPECT_EQ(program.ops[1].operands[2].offset, 8);
  EXPECT_EQ(program.ops[3].operands[0].buffer, -1);
  EXPECT_THAT(program.ops[4].deps, ElementsAre(0, 1));
  EXPECT_THAT(program.ops[5].comm->recv_counts, ElementsAre(3, 0));
}

TEST(Text, PlacesErrors) {
  EXPECT_THAT(error_of(""), StartsWith("p:1:1:"));
  EXPECT_THAT(error_of("program rank=x"), AllOf(StartsWith("p:1:14:"), HasSubstr("a rank")));
  const auto with = [](std::string_view from, std::string_view to) {
    return error_of(replace_first(kProgram, from, to));
  };
  EXPECT_THAT(with("stream dp", "steam dp"), AllOf(StartsWith("p:3:1:"), HasSubstr("'stream'")));
  EXPECT_THAT(with("stream dp", "stream compute"), StartsWith("p:3:8:"));
  EXPECT_THAT(with("group ep", "group dp"), StartsWith("p:5:7:"));
  EXPECT_THAT(with("index=1", "idx=1"), AllOf(StartsWith("p:4:10:"), HasSubstr("index=")));
  EXPECT_THAT(with("buffer grads", "buffer params"), StartsWith("p:7:8:"));
  EXPECT_THAT(with("grads grad", "grads graad"), AllOf(StartsWith("p:7:14:"), HasSubstr("graad")));
  EXPECT_THAT(with("int32", "int33"), AllOf(StartsWith("p:8:21:"), HasSubstr("int32")));
  EXPECT_THAT(with("op 1 ", "op 2 "), AllOf(StartsWith("p:10:"), HasSubstr("op number 1")));
  EXPECT_THAT(with("op 0 compute", "op 0 computer"),
              AllOf(StartsWith("p:9:6:"), HasSubstr("a declared stream, not 'computer'")));
  EXPECT_THAT(with("forward zero", "foward zero"), StartsWith("p:9:14:"));
  EXPECT_THAT(with("{zero", "{zeros"), AllOf(StartsWith("p:9:28:"), HasSubstr("zeros")));
  EXPECT_THAT(with("axis=dp", "axs=dp"), AllOf(StartsWith("p:11:41:"), HasSubstr("axis=")));
  EXPECT_THAT(with("op=sum", "op=som"), AllOf(StartsWith("p:11:"), HasSubstr("som")));
  EXPECT_THAT(with("(params)", "(param)"),
              AllOf(StartsWith("p:9:58:"), HasSubstr("a declared buffer or '-', not 'param'")));
  EXPECT_THAT(with("[8+8]", "[8-8]"), AllOf(StartsWith("p:10:"), HasSubstr("'+'")));
  EXPECT_THAT(with("after 1", "after one"), AllOf(StartsWith("p:11:"), HasSubstr("op number")));
  EXPECT_THAT(with("after 1", "after 1 "), StartsWith("p:11:"));
}

TEST(Text, RefusesWhatItWouldNotPrint) {
  const auto with = [](std::string_view from, std::string_view to) {
    return error_of(replace_first(kProgram, from, to));
  };
  EXPECT_THAT(with("(params)", "(params[0+16])"),
              AllOf(StartsWith("p:9:64:"), HasSubstr("expected ')'")));
  EXPECT_THAT(with("elements=16}", "elements=016}"), StartsWith("p:9:"));
  EXPECT_THAT(with("(- grads", "(-  grads"), StartsWith("p:12:"));
  EXPECT_THAT(with("(params)", "(params )"), StartsWith("p:9:"));
  EXPECT_THAT(error_of(std::string(kProgram) + "\n"), StartsWith("p:15:1:"));
  EXPECT_THAT(error_of(std::string(kProgram) + "stream late\n"), StartsWith("p:4:1:"));
}

TEST(Text, NumbersHaveBounds) {
  const auto with = [](std::string_view from, std::string_view to) {
    return error_of(replace_first(kProgram, from, to));
  };
  EXPECT_THAT(with("[8+8]", "[9223372036854775807+8]"), HasSubstr("an offset from 0 to "));
  EXPECT_THAT(with("[8+8]", "[8+-1]"), HasSubstr("a length from 0 to "));
  EXPECT_THAT(error_of("program rank=0 world=2147483647 x\n"),
              HasSubstr("a world size from 1 to 1048576"));
  EXPECT_THAT(error_of("program rank=-1 world=2 x\n"), HasSubstr("a rank from 0 to 1048575"));
  std::string streams = "program rank=0 world=1 x\n";
  for (int i = 0; i < 257; ++i) streams += fmt::format("stream s{}\n", i);
  EXPECT_THAT(error_of(streams), AllOf(StartsWith("p:258:"), HasSubstr("at most 256 streams")));
}

// Cut or change at every place: an error on that line or later, or a program that prints the same.
TEST(Text, SurvivesEveryCutAndChange) {
  const std::string text = kProgram;
  const auto check = [](const std::string& broken, int line) {
    try {
      const Program program = parse_program(broken, "p");
      EXPECT_EQ(to_text(program), broken);
    } catch (const ConfigError& error) {
      const std::string& message = error.message();
      ASSERT_THAT(message, StartsWith("p:"));
      char* after_line = nullptr;
      EXPECT_GE(std::strtol(message.c_str() + 2, &after_line, 10), line) << broken;
      ASSERT_EQ(*after_line, ':') << message;
      EXPECT_GE(std::strtol(after_line + 1, nullptr, 10), 1) << message;
    }
  };
  int line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t line_end = text.find('\n', i);
    check(text.substr(0, i) + text.substr(line_end), line);
    for (const char c : {'x', ' ', '0', '-', '}', '\n', '\0'}) {
      std::string changed = text;
      changed[i] = c;
      check(changed, text[i] == '\n' || c == '\n' ? 1 : line);
    }
    if (text[i] == '\n') ++line;
  }
}

TEST(Diff, IsEmptyForEqualProgramsAndNamesChangedLines) {
  const Program a = parse_program(kProgram);
  EXPECT_THAT(diff(a, a), ::testing::IsEmpty());
  Program b = a;
  b.ops[2].comm->count = 8;
  b.ops[2].operands = {{.buffer = 1, .offset = 0, .elements = 8}, {.buffer = 1, .elements = 8}};
  EXPECT_THAT(diff(a, b), ElementsAre(AllOf(StartsWith("- 11: op 2"), HasSubstr("count=16")),
                                      AllOf(StartsWith("+ 11: op 2"), HasSubstr("count=8"))));
  b = a;
  b.buffers.push_back({.name = "late", .kind = BufferKind::scalar, .elements = 1});
  EXPECT_THAT(diff(a, b), ElementsAre("+ 9: buffer late scalar fp32 1"));
  EXPECT_THAT(diff(b, a), ElementsAre("- 9: buffer late scalar fp32 1"));
}

TEST(Diff, BetweenPlansShowsCommunication) {
  const Model model = small_gpt2();
  const Program one = step_program(model, resolve(parse_plan("micro_batch=2"), model, 1), 0);
  const Program two = step_program(model, resolve(parse_plan("micro_batch=2,dp=2"), model, 2), 0);
  const std::vector<std::string> lines = diff(one, two);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with("+") && line.find("all_reduce axis=dp") != std::string::npos;
  }));
}

}  // namespace
}  // namespace stepmark
