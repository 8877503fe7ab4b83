// SPDX-License-Identifier: Apache-2.0
// Random programs of the ops that move memory, with comms that copy, and their results on a device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/cuda/check.h"
#include "core/dtype.h"
#include "harness/exec/executor.h"
#include "kernels/ops/memory.h"
#include "tests/unit/exec/fake_comm.h"
#include "tests/unit/exec/programs.h"

namespace stepmark::test {

inline constexpr std::int32_t kWideBuffers = 6;  // fp32; two more are bf16
inline constexpr std::int32_t kBuffers = kWideBuffers + 2;
inline constexpr std::int64_t kElements = 100;

// An all-reduce over one rank is a copy, on a stream of the GPU or in a task of the host.
inline FakeCommSet copying_comms() {
  FakeCommSet comms;
  comms.comm.native_hook = [](const void* send, void* recv, std::size_t count, void* native) {
    if (native == nullptr) {
      std::memcpy(recv, send, count * sizeof(float));
    } else {
      STEPMARK_CUDA_CHECK(cudaMemcpyAsync(recv, send, count * sizeof(float),
                                          cudaMemcpyDeviceToDevice,
                                          static_cast<cudaStream_t>(native)));
    }
  };
  return comms;
}

// The last operand is what the op writes.
inline void add_kernel(Program& program, std::int32_t stream, const OpShape& shape,
                       const std::vector<std::int32_t>& buffers,
                       std::vector<std::int32_t> deps = {}) {
  Op op{.label = "op" + std::to_string(program.ops.size()), .stream = stream, .kernel = shape};
  for (const std::int32_t buffer : buffers) op.operands.push_back(whole(program, buffer));
  op.deps = std::move(deps);
  program.ops.push_back(std::move(op));
}

// a = b + c / 2: exact products, so that fused and separate rounding agree bit for bit.
inline OpShape triad() { return pack(TriadShape{.elements = kElements, .s = 0.5}, DType::f32); }

inline bool conflict(const Op& a, const Op& b) {
  const auto touches = [](const Op& op, std::int32_t buffer) {
    for (const BufferSlice& slice : op.operands) {
      if (slice.buffer == buffer) return true;
    }
    return false;
  };
  return touches(a, b.operands.back().buffer) || touches(b, a.operands.back().buffer);
}

inline Program random_program(std::mt19937& rng) {
  std::vector<BufferDecl> buffers;
  for (int b = 0; b < kBuffers; ++b) {
    buffers.push_back(
        buffer("b" + std::to_string(b), kElements, b < kWideBuffers ? DType::f32 : DType::bf16));
  }
  Program program = program_of({"compute", "tp", "dp-high"}, std::move(buffers));
  const auto pick = [&](std::int32_t n) { return std::uniform_int_distribution{0, n - 1}(rng); };
  const std::int32_t ops = 10 + pick(40);
  for (std::int32_t i = 0; i < ops; ++i) {
    const std::int32_t stream = pick(3), a = pick(kWideBuffers);
    const std::int32_t b = (a + 1 + pick(kWideBuffers - 2)) % kWideBuffers;
    const std::int32_t c =
        (b + 1) % kWideBuffers != a ? (b + 1) % kWideBuffers : (b + 2) % kWideBuffers;
    const std::int32_t narrow = kWideBuffers + pick(2);
    switch (pick(8)) {
      case 0:
        add_kernel(program, stream, pack(CopyShape{.elements = kElements}, DType::f32), {b, a});
        break;
      case 1:
        add_kernel(program, stream,
                   pack(CastShape{.elements = kElements, .to_f32 = 0}, DType::bf16), {b, narrow});
        break;
      case 2:
        add_kernel(program, stream,
                   pack(CastShape{.elements = kElements, .to_f32 = 1}, DType::bf16), {narrow, a});
        break;
      case 3:
        add_kernel(program, stream, pack(ZeroShape{.elements = kElements}, DType::f32), {a});
        break;
      case 4:
        add_comm(program, "op" + std::to_string(i), stream, b, a);
        break;
      default:
        add_kernel(program, stream, triad(), {b, c, a});
    }
    Op& op = program.ops.back();
    for (std::int32_t j = 0; j < i; ++j) {
      const Op& earlier = program.ops[static_cast<std::size_t>(j)];
      if (earlier.stream != stream && conflict(earlier, op)) op.deps.push_back(j);
    }
  }
  return program;
}

// Each op reads what the one before wrote, on the other of two streams: every dependency counts.
inline Program ping_pong(std::int32_t ops) {
  std::vector<BufferDecl> buffers;
  for (int b = 0; b <= ops; ++b) buffers.push_back(buffer("b" + std::to_string(b), kElements));
  buffers.push_back(buffer("c", kElements));
  Program program = program_of({"compute", "dp"}, std::move(buffers));
  for (std::int32_t i = 0; i < ops; ++i) {
    add_kernel(program, i % 2, triad(), {i, ops + 1, i + 1},
               i > 0 ? std::vector{i - 1} : std::vector<std::int32_t>{});
  }
  return program;
}

using Contents = std::vector<std::vector<std::byte>>;

inline std::size_t bytes_of(const BufferDecl& buffer) {
  return static_cast<std::size_t>(buffer.elements) * size_of(buffer.dtype);
}

// Small numbers, the same for every device.
inline void fill(Runnable& runnable, Device& device) {
  for (std::int32_t b = 0; b < std::ssize(runnable.program().buffers); ++b) {
    const BufferDecl& decl = runnable.program().buffers[static_cast<std::size_t>(b)];
    std::vector<std::byte> bytes(bytes_of(decl));
    for (std::size_t i = 0; i < static_cast<std::size_t>(decl.elements); ++i) {
      const float value = static_cast<float>((static_cast<std::size_t>(b) * 31 + i * 7) % 64);
      if (decl.dtype == DType::f32) {
        std::memcpy(&bytes[i * sizeof value], &value, sizeof value);
      } else {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        const auto high = static_cast<std::uint16_t>(bits >> 16);  // exact for such numbers
        std::memcpy(&bytes[i * sizeof high], &high, sizeof high);
      }
    }
    device.copy_to_device(runnable.buffer(b), bytes.data(), bytes.size());
  }
}

inline Contents read(Runnable& runnable, Device& device) {
  Contents contents;
  for (std::int32_t b = 0; b < std::ssize(runnable.program().buffers); ++b) {
    const BufferDecl& decl = runnable.program().buffers[static_cast<std::size_t>(b)];
    device.copy_to_host(contents.emplace_back(bytes_of(decl)).data(), runnable.buffer(b),
                        bytes_of(decl));
  }
  return contents;
}

// What two steps of the host leave.
inline Contents host_result(const Program& program) {
  const auto device = make_host_device(1);
  const auto executor = make_host_executor(*device);
  FakeCommSet comms = copying_comms();
  const auto runnable = executor->prepare(program, comms);
  fill(*runnable, *device);
  runnable->run();
  runnable->run();
  return read(*runnable, *device);
}

}  // namespace stepmark::test
