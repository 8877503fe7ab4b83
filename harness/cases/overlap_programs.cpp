// SPDX-License-Identifier: Apache-2.0
// Lanes of GEMMs and of communication, issued interleaved. On one rank a kernel that occupies as
// many blocks as a collective stands in for it; it sets a flag per block, which is what its check
// looks at.
#include "harness/cases/overlap_programs.h"

#include <algorithm>

#include "core/error.h"
#include "harness/cases/kernel_check.h"
#include "kernels/ops/memory.h"

namespace stepmark {
namespace {

// What a block of a communication kernel holds, roughly: NCCL's ring kernels have 512 to 640
// threads and some 80 KiB of shared memory.
constexpr std::int64_t kOccupyThreads = 512;
constexpr std::int64_t kOccupySharedBytes = std::int64_t{80} * 1024;

constexpr const char* kCollective = "collective";
constexpr std::array<const char*, 4> kGemmBuffers{"a", "b", "bias", "c"};

struct Built {
  Program program;
  std::optional<Traffic> traffic;  // of the collective
};

Built build(const OverlapSpec& spec, const OverlapWork& work, const Group& group,
            std::uint64_t seed) {
  const std::int32_t rank = group.ranks[static_cast<std::size_t>(group.index)];
  ProgramBuilder builder("overlap", rank, static_cast<std::int32_t>(group.ranks.size()));
  std::vector<Lane> lanes;
  std::optional<Traffic> traffic;
  if (work.gemms > 0) {
    std::vector<BufferSlice> operands;
    for (std::size_t i = 0; i < kGemmBuffers.size(); ++i) {
      const std::int64_t elements = elements_of(spec.gemm, i);
      operands.push_back(elements == 0 ? BufferSlice{}
                                       : builder.add_buffer(kGemmBuffers[i], BufferKind::input,
                                                            dtype_of(spec.gemm, i), elements));
    }
    lanes.push_back({.calls = work.gemms,
                     .ops = {{.add = [operands, shape = spec.gemm](ProgramBuilder& program) {
                       program.kernel("gemm", kOverlapComputeStream, shape, operands);
                     }}}});
  }
  if (work.comms > 0 && spec.kind) {
    traffic = make_traffic(spec, group, seed);
    builder.add_group(group);
    const TrafficOperands on = add_buffers(builder, *traffic, kCollective);
    lanes.push_back({.calls = work.comms,
                     .ops = {{.add = [on, shape = traffic->shape,
                                      stream = spec.comm_stream()](ProgramBuilder& program) {
                       program.comm(kCollective, stream, shape, on.send, on.recv);
                     }}}});
  } else if (work.comms > 0) {
    const OpShape occupy = pack(OccupyShape{.ctas = spec.ctas,
                                            .threads = kOccupyThreads,
                                            .shared_bytes = kOccupySharedBytes,
                                            .nanoseconds = work.occupy_ns},
                                DType::f32);
    const BufferSlice done = builder.add_buffer("done", BufferKind::input, DType::f32, spec.ctas);
    lanes.push_back(
        {.calls = work.comms,
         .ops = {{.add = [done, occupy, stream = spec.comm_stream()](ProgramBuilder& program) {
           program.kernel("occupy", stream, occupy, {done});
         }}}});
  }
  interleave(builder, lanes);
  return {.program = std::move(builder).take(), .traffic = std::move(traffic)};
}

}  // namespace

Traffic make_traffic(const OverlapSpec& spec, const Group& group, std::uint64_t seed) {
  return make_traffic(
      group, collective(*spec.kind),
      {.size_bytes = spec.bytes, .dtype = spec.comm_dtype, .op = spec.op, .seed = seed});
}

std::int64_t overlap_bytes(const OverlapSpec& spec, const OverlapWork& work, const Group& group) {
  return memory_bytes(build(spec, work, group, /*seed=*/0).program);
}

OverlapRun::OverlapRun(Executor& executor, CommSet& comms, const OverlapSpec& spec,
                       const OverlapWork& work, const Group& group, std::uint64_t seed)
    : executor_(executor), spec_(spec) {
  const Built built = build(spec, work, group, seed);
  runnable_ = executor.prepare(built.program, comms);
  if (built.traffic) {
    buffers_.emplace(buffers_of(executor.device(), *built.traffic, *runnable_, kCollective,
                                comms.of(group.axis)));
  }
  for (std::size_t i = 0; work.gemms > 0 && i + 1 < kGemmBuffers.size(); ++i) {
    const std::int64_t elements = elements_of(spec.gemm, i);
    if (elements == 0) continue;
    fill_with_noise(executor.device(), buffer(kGemmBuffers[i]), dtype_of(spec.gemm, i), elements,
                    seed, i);
  }
  refill();
}

void* OverlapRun::buffer(const char* name) {
  return runnable_->buffer(runnable_->program().buffer_index(name));
}

void OverlapRun::refill() {
  Device& device = executor_.device();
  if (buffers_) return buffers_->fill();
  if (runnable_->program().buffer_index("done") < 0) return;
  const std::vector<float> zeros(static_cast<std::size_t>(spec_.ctas), 0.0F);
  device.copy_to_device(buffer("done"), zeros.data(), zeros.size() * sizeof(float));
}

std::optional<Verification> OverlapRun::verify_comm() {
  if (!buffers_) return std::nullopt;
  return buffers_->verify();
}

bool OverlapRun::all_done() {
  if (runnable_->program().buffer_index("done") < 0) return true;
  std::vector<float> done(static_cast<std::size_t>(spec_.ctas));
  executor_.device().copy_to_host(done.data(), buffer("done"), done.size() * sizeof(float));
  return std::all_of(done.begin(), done.end(), [](float value) { return value == 1.0F; });
}

std::vector<std::byte> OverlapRun::gemm_result() {
  const std::size_t last = kGemmBuffers.size() - 1;
  std::vector<std::byte> bytes(static_cast<std::size_t>(elements_of(spec_.gemm, last)) *
                               size_of(dtype_of(spec_.gemm, last)));
  executor_.device().copy_to_host(bytes.data(), buffer(kGemmBuffers[last]), bytes.size());
  return bytes;
}

}  // namespace stepmark
