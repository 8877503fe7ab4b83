// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectives/comm_shape.h"
#include "harness/exec/recording_stream.h"
#include "tests/unit/exec/fake_comm.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;

CommShape shape(Verb verb) {
  CommShape shape{.verb = verb, .axis = "x", .dtype = DType::f32, .count = 10};
  if (is_rooted(verb)) shape.root = 1;
  return shape;
}

std::vector<std::string> calls_of(const CommShape& comm_shape) {
  test::FakeComm comm(1, 3);
  RecordingStream stream;
  issue(comm_shape, comm, nullptr, nullptr, stream);
  return comm.calls;
}

TEST(BindComm, EveryVerbGetsItsArguments) {
  CommShape reduce = shape(Verb::all_reduce);
  reduce.op = ReduceOp::max;
  EXPECT_THAT(calls_of(reduce), ElementsAre("all_reduce count=10 fp32 max"));
  EXPECT_THAT(calls_of(shape(Verb::all_gather)), ElementsAre("all_gather count=10"));
  EXPECT_THAT(calls_of(shape(Verb::reduce_scatter)), ElementsAre("reduce_scatter count=10 sum"));
  EXPECT_THAT(calls_of(shape(Verb::all_to_all)), ElementsAre("all_to_all count=10"));
  EXPECT_THAT(calls_of(shape(Verb::broadcast)), ElementsAre("broadcast count=10 root=1"));
  EXPECT_THAT(calls_of(shape(Verb::reduce)), ElementsAre("reduce count=10 sum root=1"));
  EXPECT_THAT(calls_of(shape(Verb::gather)), ElementsAre("gather count=10 root=1"));
  EXPECT_THAT(calls_of(shape(Verb::scatter)), ElementsAre("scatter count=10 root=1"));
  EXPECT_THAT(calls_of(shape(Verb::barrier)), ElementsAre("barrier"));
}

TEST(BindComm, AllToAllVLaysPartsOneAfterTheOther) {
  CommShape v = shape(Verb::all_to_all_v);
  v.send_counts = {1, 2, 3};
  v.recv_counts = {4, 0, 5};
  EXPECT_THAT(calls_of(v), ElementsAre("all_to_all_v 1,2,3@0,1,3 -> 4,0,5@0,4,4"));
}

TEST(BindComm, SendAndReceiveProgressTogether) {
  CommShape both = shape(Verb::send_recv);
  both.send_peer = 2;
  both.recv_peer = 0;
  EXPECT_THAT(calls_of(both), ElementsAre("group_begin", "send count=10 peer=2",
                                          "recv count=10 peer=0", "group_end"));
  CommShape only_send = both;
  only_send.recv_peer = -1;
  EXPECT_THAT(calls_of(only_send), ElementsAre("send count=10 peer=2"));
  CommShape only_recv = both;
  only_recv.send_peer = -1;
  EXPECT_THAT(calls_of(only_recv), ElementsAre("recv count=10 peer=0"));
}

TEST(RecordingStreamTest, ReplaysWhatWasSubmittedInOrder) {
  RecordingStream stream;
  std::string log;
  stream.submit([&] { log += "a"; });
  stream.submit([&] { log += "b"; });
  const Task task = stream.take();
  EXPECT_EQ(log, "");
  task();
  task();
  EXPECT_EQ(log, "abab");
  stream.take()();  // empty by now
  EXPECT_EQ(log, "abab");
}

}  // namespace
}  // namespace stepmark
