// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/error.h"
#include "harness/exec/executor.h"
#include "kernels/ops/gemm.h"
#include "tests/unit/exec/programs.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

Program valid() {
  Program p = test::program_of({"compute", "dp"},
                               {test::buffer("a", 6), test::buffer("b", 6), test::buffer("c", 4),
                                test::buffer("h", 4, DType::bf16)});
  p.ops.push_back({.label = "product",
                   .kernel = pack(GemmShape{.m = 2, .n = 2, .k = 3}, DType::f32),
                   .operands = {test::whole(p, 0), test::whole(p, 1), {}, test::whole(p, 2)}});
  test::add_comm(p, "sync", 1, 2, 2, {0});
  return p;
}

// The message for the valid program after `change`.
std::string error_after(const std::function<void(Program&)>& change) {
  Program p = valid();
  change(p);
  try {
    check_operands(p);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return "no error";
}

TEST(CheckOperandsTest, AcceptsAValidProgram) { EXPECT_NO_THROW(check_operands(valid())); }

TEST(CheckOperandsTest, NamesTheOpAndWhatIsWrong) {
  const auto expect = [](const std::function<void(Program&)>& change, const std::string& text) {
    EXPECT_THAT(error_after(change), HasSubstr(text));
  };
  expect([](Program& p) { p.ops[0].operands[0].elements = 5; }, "op 0 \"product\": operand a of");
  expect([](Program& p) { p.ops[0].operands[0].elements = 5; }, "5 elements of a, 6 expected");
  expect([](Program& p) { p.ops[0].operands[1].offset = 1; },
         "is [1+6] of b, which has 6 elements");
  expect([](Program& p) { p.ops[0].operands[1].offset = -1; }, "is [-1+6] of b, which has 6");
  expect([](Program& p) { p.ops[0].operands[0] = {}; }, "is absent, 6 fp32 expected");
  expect([](Program& p) { p.ops[0].operands[3].buffer = 3; }, "is bf16 (h), fp32 expected");
  expect([](Program& p) { p.ops[0].operands[3].buffer = 9; }, "names buffer 9 of 4");
  expect([](Program& p) { p.ops[0].operands.pop_back(); }, "has 3 operands, 4 expected");
  expect([](Program& p) { p.ops[0].kernel->dims[0] = -2; }, "op 0 \"product\"");
  expect([](Program& p) { p.ops[0].kernel.reset(); }, "exactly one of kernel and comm");
  expect([](Program& p) { p.ops[0].comm = p.ops[1].comm; }, "exactly one of kernel and comm");
  expect([](Program& p) { p.ops[1].stream = 2; }, "stream 2 of 2 streams");
  expect([](Program& p) { p.ops[1].stream = -1; }, "stream -1 of 2 streams");
  expect([](Program& p) { p.ops[1].deps = {1}; }, "dependency 1 is not an earlier op");
  expect([](Program& p) { p.ops[1].deps = {-1}; }, "dependency -1 is not an earlier op");
  expect([](Program& p) { p.ops[1].comm->count = 3; }, "operand send of all_reduce over x");
  expect([](Program& p) { p.ops[1].comm->dtype = DType::bf16; }, "bf16 expected");
  expect([](Program& p) { p.ops[1].comm->axis = "tp"; }, "op 1 \"sync\"");
  expect([](Program& p) { p.ops[1].operands.pop_back(); }, "has 1 operands");
  expect([](Program& p) { p.ops[1].operands.push_back({}); }, "has 3 operands");
}

TEST(CheckOperandsTest, RootedVerbsNeedTheirOperandAtTheRootOnly) {
  Program p = valid();
  p.groups[0] = {.axis = "x", .ranks = {0, 1}, .index = 0};
  p.world_size = 2;
  p.ops[1].comm =
      CommShape{.verb = Verb::broadcast, .axis = "x", .dtype = DType::f32, .count = 4, .root = 1};
  p.ops[1].operands[0] = {};
  EXPECT_NO_THROW(check_operands(p));
  p.ops[1].operands[0] = {.buffer = 2, .offset = 3, .elements = 2};  // unused, but not addressable
  EXPECT_THROW(check_operands(p), Error);
  p.ops[1].operands[0] = {};
  p.ops[1].comm->root = 0;  // now this rank is the root
  EXPECT_THROW(check_operands(p), Error);
}

}  // namespace
}  // namespace stepmark
