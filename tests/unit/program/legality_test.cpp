// SPDX-License-Identifier: Apache-2.0
#include "harness/program/legality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/error.h"
#include "kernels/ops/gemm.h"
#include "tests/unit/exec/programs.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

Program valid() {
  Program p = test::program_of({"compute", "dp"},
                               {test::buffer("a", 6), test::buffer("b", 6), test::buffer("c", 4),
                                test::buffer("h", 4, DType::bf16)});
  p.ops.push_back({.label = "gemm",
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
    check_ops(p);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return "no error";
}

TEST(Legality, AcceptsAValidProgram) { EXPECT_NO_THROW(check_ops(valid())); }

TEST(Legality, NamesTheOpAndWhatIsWrong) {
  const auto expect = [](const std::function<void(Program&)>& change, const std::string& text) {
    EXPECT_THAT(error_after(change), HasSubstr(text));
  };
  expect([](Program& p) { p.ops[0].operands[0].elements = 5; }, "op 0 \"gemm\": operand 'a' has");
  expect([](Program& p) { p.ops[0].operands[0].elements = 5; }, "has 5 elements of a; 6 needed");
  expect([](Program& p) { p.ops[0].operands[1].offset = 1; },
         "lies outside its buffer b: [1+6] of 6 elements");
  expect([](Program& p) { p.ops[0].operands[1].offset = -1; }, "[-1+6] of 6");
  expect([](Program& p) { p.ops[0].operands[0] = {}; }, "is absent; 6 fp32 needed");
  expect([](Program& p) { p.ops[0].operands[3].buffer = 3; }, "is bf16 (h); fp32 needed");
  expect([](Program& p) { p.ops[0].operands[3].buffer = 9; }, "names buffer 9 of 4");
  expect([](Program& p) { p.ops[0].operands.pop_back(); }, "3 operands; gemm takes 4");
  expect([](Program& p) { p.ops[0].kernel->dims[0] = -2; }, "op 0 \"gemm\"");
  expect([](Program& p) { p.ops[0].kernel.reset(); }, "either a kernel or a communication");
  expect([](Program& p) { p.ops[0].comm = p.ops[1].comm; }, "either a kernel or a communication");
  expect([](Program& p) { p.ops[1].stream = 2; }, "stream 2 of 2 streams");
  expect([](Program& p) { p.ops[1].stream = -1; }, "stream -1 of 2 streams");
  expect([](Program& p) { p.ops[1].deps = {1}; }, "waits for op 1, which is not earlier");
  expect([](Program& p) { p.ops[1].deps = {-1}; }, "waits for op -1, which is not earlier");
  expect([](Program& p) { p.ops[1].comm->count = 3; },
         "operand 'send' has 4 elements of c; 3 needed");
  expect([](Program& p) { p.ops[1].comm->dtype = DType::bf16; }, "bf16 needed");
  expect([](Program& p) { p.ops[1].comm->axis = "tp"; }, "op 1 \"sync\": there is no group 'tp'");
  expect([](Program& p) { p.ops[1].operands.pop_back(); }, "1 operands; a communication has two");
  expect([](Program& p) { p.ops[1].operands.push_back({}); },
         "3 operands; a communication has two");
}

// In place each rank's part lies where the whole has it; anything else would be overwritten on the
// way.
TEST(Legality, OperandsOfACommunicationLieApartOrInPlace) {
  const auto error_of = [](Verb verb, std::int64_t send, std::int64_t recv) {
    Program p = test::program_of({"x"}, {test::buffer("a", 32)});
    p.groups = {{.axis = "x", .ranks = {0, 1}, .index = 1}};
    p.world_size = 2;
    test::add_comm(p, "c", 0, 0, 0, {});
    const CommShape shape{.verb = verb, .axis = "x", .dtype = DType::f32, .count = 8};
    const CommAccess access = comm_access(shape, p.groups[0]);
    p.ops[0].comm = shape;
    p.ops[0].operands = {{.buffer = 0, .offset = send, .elements = access.send},
                         {.buffer = 0, .offset = recv, .elements = access.recv}};
    return op_problem(p, 0);
  };
  EXPECT_EQ(error_of(Verb::all_reduce, 0, 0), "");
  EXPECT_EQ(error_of(Verb::all_reduce, 0, 8), "");
  EXPECT_THAT(error_of(Verb::all_reduce, 0, 4), HasSubstr("not as in place: recv at +4"));
  EXPECT_EQ(error_of(Verb::reduce_scatter, 0, 8), "");
  EXPECT_EQ(error_of(Verb::reduce_scatter, 0, 16), "");
  EXPECT_THAT(error_of(Verb::reduce_scatter, 0, 0), HasSubstr("recv at +0 from send, expected +8"));
  EXPECT_EQ(error_of(Verb::all_gather, 24, 16), "");
  EXPECT_THAT(error_of(Verb::all_gather, 16, 16), HasSubstr("recv at +0 from send, expected -8"));
  EXPECT_EQ(error_of(Verb::all_to_all, 0, 16), "");
  EXPECT_THAT(error_of(Verb::all_to_all, 0, 0), HasSubstr("no form in place"));
}

TEST(Legality, RootedVerbsNeedTheirOperandAtTheRootOnly) {
  Program p = valid();
  p.groups[0] = {.axis = "x", .ranks = {0, 1}, .index = 0};
  p.world_size = 2;
  p.ops[1].comm =
      CommShape{.verb = Verb::broadcast, .axis = "x", .dtype = DType::f32, .count = 4, .root = 1};
  p.ops[1].operands[0] = {};
  EXPECT_NO_THROW(check_ops(p));
  p.ops[1].operands[0] = {.buffer = 2, .offset = 3, .elements = 2};  // unused, but not addressable
  EXPECT_THROW(check_ops(p), Error);
  p.ops[1].operands[0] = {};
  p.ops[1].comm->root = 0;  // now this rank is the root
  EXPECT_THROW(check_ops(p), Error);
}

TEST(Legality, ImpossibleShapesOfCommunication) {
  const Group group{.axis = "x", .ranks = {4, 5, 6}, .index = 1};
  const auto problem = [&](Verb verb, const std::function<void(CommShape&)>& change) {
    CommShape shape{.verb = verb, .axis = "x", .dtype = DType::f32, .count = 10};
    if (is_rooted(verb)) shape.root = 1;
    change(shape);
    return shape_problem(shape, group);
  };
  const auto root = [](std::int32_t rank) { return [rank](CommShape& s) { s.root = rank; }; };
  EXPECT_THAT(problem(Verb::broadcast, root(3)), HasSubstr("root 3 of a group of 3"));
  EXPECT_EQ(problem(Verb::broadcast, root(2)), "");
  EXPECT_THAT(problem(Verb::scatter, root(-1)), HasSubstr("no root"));
  EXPECT_THAT(problem(Verb::broadcast, [](CommShape& s) { s.send_peer = 0; }),
              HasSubstr("peers, which it has not"));
  EXPECT_EQ(problem(Verb::all_reduce, [](CommShape&) {}), "");
  EXPECT_THAT(problem(Verb::all_reduce, root(0)), HasSubstr("a root, which it has not"));
  EXPECT_THAT(problem(Verb::send_recv, [](CommShape&) {}), HasSubstr("neither sends"));
  EXPECT_THAT(problem(Verb::all_to_all_v,
                      [](CommShape& s) {
                        s.send_counts = {1, 2};
                        s.recv_counts = {1, 2, 3};
                      }),
              HasSubstr("needs 3 counts"));
  EXPECT_THAT(problem(Verb::all_reduce, [](CommShape& s) { s.count = -1; }),
              HasSubstr("a count of -1"));
}

}  // namespace
}  // namespace stepmark
