// SPDX-License-Identifier: Apache-2.0
// Every collective x dtype x operator x placement over NCCL: not one wrong bit.
#include <cuda_runtime_api.h>

#include "core/cuda/check.h"
#include "harness/exec/recording_stream.h"
#include "tests/gpu/nccl/world.h"
#include "tests/unit/collectives/all_dtypes.h"

namespace stepmark {
namespace {

using test::kAllDTypes;
using test::kAllReduceOps;
using test::world;

void walk(Comm& comm, std::span<const DType> dtypes, std::uint64_t seed) {
  const auto stream = world().device->create_stream("comm-high");
  const std::int64_t ranks = comm.size();
  for (const Collective* c : all_collectives()) {
    for (const DType dtype : dtypes) {
      const auto width = static_cast<std::int64_t>(size_of(dtype));
      for (const std::int64_t size :
           {std::int64_t{0}, width, width * ranks, 337 * width * ranks + 5}) {
        test::for_each_form(*c, kAllReduceOps, [&](ReduceOp op, bool in_place) {
          test::run_case(comm, *stream, *c,
                         {.size_bytes = size,
                          .dtype = dtype,
                          .op = op,
                          .in_place = in_place,
                          .root = static_cast<int>(size) % comm.size(),
                          .seed = seed});
        });
      }
    }
  }
}

TEST(NcclCollectives, NothingOneElementAndOddSizes) { walk(*world().comm, kAllDTypes, 21); }

// Longer than what one step of the transport takes.
TEST(NcclCollectives, SeveralHundredKibibytes) {
  const auto stream = world().device->create_stream("comm");
  for (const Collective* c : all_collectives()) {
    for (const bool in_place : {false, true}) {
      if (in_place && !c->supports_in_place) continue;
      test::run_case(*world().comm, *stream, *c,
                     {.size_bytes = 600'000, .in_place = in_place, .seed = 22});
    }
  }
}

// What older libraries lack is composed of sends and receives.
TEST(NcclCollectives, WithoutTheCallsOfNewerLibraries) {
  auto& w = world();
  const auto library = NcclLibrary::open()->without_optional();
  ASSERT_EQ(nullptr, library->functions().ncclAlltoAll);
  const auto comm = make_nccl_comm(*w.control, w.settings, library);
  constexpr std::array kDTypes{DType::f32, DType::f8e5m2, DType::u64};
  walk(*comm, kDTypes, 23);
}

TEST(NcclCollectives, TasksMayBeReplayed) {
  auto& w = world();
  const auto stream = w.device->create_stream("comm");
  for (const Collective* c : all_collectives()) {
    const CollectiveSetup setup{.size_bytes = 4096, .seed = 24};
    CollectiveBuffers buffers(*w.device, *c, setup, w.comm->rank(), w.comm->size());
    RecordingStream recording(stream->native());
    buffers.submit(*w.comm, recording);
    const Task task = recording.take();
    for (int round = 0; round < 3; ++round) {
      buffers.fill();
      stream->submit(task);
      stream->submit(task);
      stream->synchronize();
      EXPECT_TRUE(buffers.verify().ok())
          << case_name(*c, setup) << ": " << buffers.verify().describe();
    }
  }
}

TEST(NcclCollectives, GraphsMayBeLaunchedAgain) {
  auto& w = world();
  const auto stream = w.device->create_stream("comm");
  auto* native = static_cast<cudaStream_t>(stream->native());
  for (const Collective* c : all_collectives()) {
    const CollectiveSetup setup{.size_bytes = 20'000, .seed = 25};
    CollectiveBuffers buffers(*w.device, *c, setup, w.comm->rank(), w.comm->size());
    test::run_case(*w.comm, *stream, *c, setup);  // connects, outside of the capture
    STEPMARK_CUDA_CHECK(cudaStreamBeginCapture(native, cudaStreamCaptureModeThreadLocal));
    buffers.submit(*w.comm, *stream);
    cudaGraph_t graph = nullptr;
    STEPMARK_CUDA_CHECK(cudaStreamEndCapture(native, &graph));
    cudaGraphExec_t exec = nullptr;
    STEPMARK_CUDA_CHECK(cudaGraphInstantiate(&exec, graph, 0));
    for (int round = 0; round < 2; ++round) {
      buffers.fill();
      STEPMARK_CUDA_CHECK(cudaGraphLaunch(exec, native));
      STEPMARK_CUDA_CHECK(cudaGraphLaunch(exec, native));
      stream->synchronize();
      EXPECT_TRUE(buffers.verify().ok())
          << case_name(*c, setup) << ": " << buffers.verify().describe();
    }
    STEPMARK_CUDA_CHECK(cudaGraphExecDestroy(exec));
    STEPMARK_CUDA_CHECK(cudaGraphDestroy(graph));
  }
}

}  // namespace
}  // namespace stepmark
