// SPDX-License-Identifier: Apache-2.0
// Walks the registry: every op's CUDA kernel against the double reference, for each dtype and test
// shape, with operands aligned to 256 bytes and to their element size only.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/cuda/check.h"
#include "kernels/cuda/cuda_kernels.h"
#include "tests/equivalence_kernels/op_fixture.h"

namespace stepmark::test {
namespace {

class CudaKernels : public testing::TestWithParam<std::tuple<const OpInfo*, DType>> {
 protected:
  [[nodiscard]] static std::vector<OpShape> shapes() {
    const auto& [info, dtype] = GetParam();
    return info->test_shapes(dtype);
  }
};

// The bytes of a guarded host buffer on the device, `offset` bytes behind an aligned address.
class DeviceCopy {
 public:
  DeviceCopy(const GuardedBuffer& host, std::size_t offset)
      : bytes_(host.whole().size()), offset_(offset) {
    STEPMARK_CUDA_CHECK(cudaMalloc(&data_, bytes_ + offset_));
    STEPMARK_CUDA_CHECK(cudaMemcpy(begin(), host.whole().data(), bytes_, cudaMemcpyHostToDevice));
  }
  ~DeviceCopy() { cuda::log_cuda_error(cudaFree(data_), "cudaFree"); }
  DeviceCopy(const DeviceCopy&) = delete;
  DeviceCopy& operator=(const DeviceCopy&) = delete;
  [[nodiscard]] void* begin() const { return static_cast<std::byte*>(data_) + offset_; }
  void copy_back(GuardedBuffer& host) const {
    STEPMARK_CUDA_CHECK(cudaMemcpy(host.whole().data(), begin(), bytes_, cudaMemcpyDeviceToHost));
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_, offset_;
};

HostResult run_cuda(const OpShape& shape, const Values& before, bool misaligned) {
  cuda::KernelContext context;
  return run_with(shape, before, [&](std::vector<GuardedBuffer>& buffers) {
    std::vector<std::unique_ptr<DeviceCopy>> copies;
    std::vector<void*> operands;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const std::size_t offset = misaligned ? size_of(dtype_of(shape, i)) : 0;
      copies.push_back(std::make_unique<DeviceCopy>(buffers[i], offset));
      const auto guard =
          static_cast<std::byte*>(copies.back()->begin()) + GuardedBuffer::kGuardBytes;
      operands.push_back(before[i].empty() ? nullptr : guard);
    }
    cuda::prepare(shape, operands.data(), context)(nullptr);
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    for (std::size_t i = 0; i < buffers.size(); ++i) copies[i]->copy_back(buffers[i]);
  });
}

TEST_P(CudaKernels, MatchTheReference) {
  for (const OpShape& shape : shapes()) {
    const Values before = random_operands(shape, 42);
    Values want = before;
    run_reference(shape, want);
    for (const bool misaligned : {false, true}) {
      SCOPED_TRACE(to_text(shape) + (misaligned ? " misaligned" : ""));
      const HostResult got = run_cuda(shape, before, misaligned);
      EXPECT_TRUE(got.guards_intact) << "wrote outside its operands";
      for (std::size_t i = 0; i < before.size(); ++i) {
        const std::string_view name = info_of(shape.id).operands[i].name;
        if (is_written(shape, i)) {
          EXPECT_LE(relative_error(got.values[i], want[i]), tolerance_of(shape, i)) << name;
        } else {
          EXPECT_EQ(got.values[i], before[i]) << name << " is an input";
        }
      }
    }
  }
}

TEST_P(CudaKernels, RepeatBitForBit) {
  for (const OpShape& shape : shapes()) {
    SCOPED_TRACE(to_text(shape));
    const Values before = random_operands(shape, 7);
    EXPECT_EQ(run_cuda(shape, before, false).bytes, run_cuda(shape, before, false).bytes);
  }
}

std::string test_name(const testing::TestParamInfo<CudaKernels::ParamType>& info) {
  return std::string(std::get<0>(info.param)->name) + "_" +
         std::string(name_of(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(Registry, CudaKernels,
                         testing::Combine(testing::ValuesIn(all_ops().begin(), all_ops().end()),
                                          testing::Values(DType::f32, DType::bf16)),
                         test_name);

}  // namespace
}  // namespace stepmark::test
