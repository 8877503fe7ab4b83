// SPDX-License-Identifier: Apache-2.0
// Programs with random data flow over three streams must leave what their serial order leaves,
// every time. Op: recv = recv * 31 + send, so that a lost, doubled or misplaced op shows in the
// result.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>

#include "harness/exec/executor.h"
#include "tests/unit/exec/fake_comm.h"
#include "tests/unit/exec/programs.h"

namespace stepmark {
namespace {

constexpr std::int32_t kBuffers = 6;
constexpr std::int64_t kElements = 16;

void mix(const void* send, void* recv, std::size_t count) {
  const auto* in = static_cast<const std::uint32_t*>(send);
  auto* out = static_cast<std::uint32_t*>(recv);
  for (std::size_t i = 0; i < count; ++i) out[i] = out[i] * 31u + in[i];
  if (out[0] % 7 == 0) std::this_thread::yield();  // vary the interleaving
}

// Dependencies from conflicts: an op waits for every earlier op on another stream that touches what
// it writes or writes what it reads.
Program random_program(std::mt19937& rng) {
  std::vector<BufferDecl> buffers;
  for (int b = 0; b < kBuffers; ++b) {
    buffers.push_back(test::buffer(fmt::format("b{}", b), kElements, DType::u32));
  }
  Program program = test::program_of({"compute", "tp", "dp"}, std::move(buffers));
  const auto pick = [&](std::int32_t n) { return std::uniform_int_distribution{0, n - 1}(rng); };
  const std::int32_t ops = 20 + pick(60);
  for (std::int32_t i = 0; i < ops; ++i) {
    const std::int32_t stream = pick(3);
    const std::int32_t send = pick(kBuffers);
    const std::int32_t recv = (send + 1 + pick(kBuffers - 1)) % kBuffers;
    std::vector<std::int32_t> deps;
    for (std::int32_t j = 0; j < i; ++j) {
      const Op& earlier = program.ops[static_cast<std::size_t>(j)];
      const std::int32_t read = earlier.operands[0].buffer;
      const std::int32_t written = earlier.operands[1].buffer;
      const bool conflict = written == send || written == recv || read == recv;
      if (earlier.stream != stream && conflict) deps.push_back(j);
    }
    test::add_comm(program, fmt::format("op{}", i), stream, send, recv, deps);
  }
  return program;
}

using Contents = std::vector<std::vector<std::uint32_t>>;

Contents initial() {
  Contents contents(kBuffers, std::vector<std::uint32_t>(kElements));
  std::uint32_t value = 1;
  for (auto& buffer : contents) {
    for (auto& element : buffer) element = value++ * 2654435761u;
  }
  return contents;
}

Contents serial(const Program& program) {
  Contents contents = initial();
  for (const Op& op : program.ops) {
    mix(contents[static_cast<std::size_t>(op.operands[0].buffer)].data(),
        contents[static_cast<std::size_t>(op.operands[1].buffer)].data(), kElements);
  }
  return contents;
}

TEST(RandomDagTest, EveryRunEqualsTheSerialOrder) {
  std::mt19937 rng(20240607);
  const auto device = make_host_device(1);
  const auto executor = make_host_executor(*device);
  test::FakeCommSet comms(mix);
  for (int round = 0; round < 20; ++round) {
    const Program program = random_program(rng);
    const Contents expected = serial(program);
    const Contents start = initial();
    const auto runnable = executor->prepare(program, comms);
    for (int run = 0; run < 50; ++run) {
      for (std::int32_t b = 0; b < kBuffers; ++b) {
        device->copy_to_device(runnable->buffer(b), start[static_cast<std::size_t>(b)].data(),
                               kElements * sizeof(std::uint32_t));
      }
      runnable->run();
      for (std::int32_t b = 0; b < kBuffers; ++b) {
        std::vector<std::uint32_t> got(kElements);
        device->copy_to_host(got.data(), runnable->buffer(b), kElements * sizeof(std::uint32_t));
        ASSERT_EQ(got, expected[static_cast<std::size_t>(b)])
            << "round " << round << " run " << run;
      }
      if (run % 10 == 0) runnable->run_empty();  // must neither disturb buffers nor flags
    }
  }
}

}  // namespace
}  // namespace stepmark
