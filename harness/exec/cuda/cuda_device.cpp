// SPDX-License-Identifier: Apache-2.0
// Errors of start-up name what this process sees and CUDA_VISIBLE_DEVICES. Ranks on one GPU are
// found by UUID, not by ordinal: containers number their GPUs from 0 each.
#include "harness/exec/cuda/cuda_device.h"

#include <cstdlib>
#include <utility>

#include "core/cuda/check.h"
#include "core/error.h"
#include "harness/exec/cuda/cuda_stream.h"

namespace stepmark {
namespace {

std::string visible_devices() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  const char* text = std::getenv("CUDA_VISIBLE_DEVICES");
  return text != nullptr ? fmt::format("CUDA_VISIBLE_DEVICES is \"{}\"", text)
                         : "CUDA_VISIBLE_DEVICES is not set";
}

cudaDeviceProp properties_of(int ordinal) {
  cudaDeviceProp properties{};
  STEPMARK_CUDA_CHECK(cudaGetDeviceProperties(&properties, ordinal));
  return properties;
}

int count_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) (void)cudaGetLastError();
  STEPMARK_CHECK(
      status == cudaSuccess && count > 0,
      "no GPU: {} ({}); {}; nvidia-smi shows whether driver and GPU work, --backend host "
      "runs without one",
      cudaGetErrorName(status), cudaGetErrorString(status), visible_devices());
  return count;
}

int checked(int ordinal) {
  const int count = count_devices();
  if (ordinal < 0 || ordinal >= count) {
    std::string seen;
    for (int i = 0; i < count; ++i) {
      seen += fmt::format("{}{}: {}", i > 0 ? ", " : "", i, properties_of(i).name);
    }
    throw Error(ExitCode::kEnvironment,
                fmt::format("there is no GPU {}: this process sees {} ({}); {}; choose one of them "
                            "or make more visible",
                            ordinal, count, seen, visible_devices()));
  }
  STEPMARK_CUDA_CHECK(cudaSetDevice(ordinal));
  return ordinal;
}

std::string uuid_of(int ordinal) {
  std::string text;
  for (const char byte : properties_of(ordinal).uuid.bytes) {
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  return text;
}

// On rank 0: two ranks with the same GPU, in words; empty where there are none.
std::string first_shared(const std::vector<std::string>& uuids) {
  for (std::size_t a = 0; a < uuids.size(); ++a) {
    for (std::size_t b = a + 1; b < uuids.size(); ++b) {
      if (uuids[a] == uuids[b]) return fmt::format("ranks {} and {} have the same GPU", a, b);
    }
  }
  return {};
}

}  // namespace

CudaDevice::CudaDevice(int ordinal)
    : ordinal_(checked(ordinal)),
      name_(properties_of(ordinal).name),
      l2_bytes_(static_cast<std::size_t>(properties_of(ordinal).l2CacheSize)),
      sm_count_(properties_of(ordinal).multiProcessorCount),
      memory_(ordinal, fmt::format("GPU {} ({})", ordinal, name_), wait_),
      clock_(wait_),
      copies_(wait_) {}

void CudaDevice::make_current() const { STEPMARK_CUDA_CHECK(cudaSetDevice(ordinal_)); }

Memory CudaDevice::allocate(std::size_t bytes) {
  make_current();
  return memory_.allocate(bytes);
}

std::unique_ptr<Stream> CudaDevice::create_stream(std::string name) {
  make_current();
  return std::make_unique<CudaStream>(*this, std::move(name));
}

std::unique_ptr<Event> CudaDevice::create_event() {
  make_current();
  return std::make_unique<CudaEvent>(*this);
}

void CudaDevice::copy_to_device(void* device, const void* host, std::size_t bytes) {
  make_current();
  copies_.to_device(device, host, bytes);
}

void CudaDevice::copy_to_host(void* host, const void* device, std::size_t bytes) {
  make_current();
  copies_.to_host(host, device, bytes);
}

std::unique_ptr<CudaDevice> make_cuda_device(int ordinal) {
  return std::make_unique<CudaDevice>(ordinal);
}

CudaDevice& as_cuda_device(Device& device) {
  auto* own = dynamic_cast<CudaDevice*>(&device);
  STEPMARK_CHECK(own != nullptr, "a {} device where a cuda device is needed", device.backend());
  return *own;
}

DeviceChoice choose_device(Control& control, bool allow_shared) {
  // A rank without a GPU still takes part in what is collective, so that all ranks end together.
  DeviceChoice choice;
  int count = 0;
  std::string own;
  try {
    count = count_devices();
    choice.ordinal = control.local_rank() % count;
    own = uuid_of(choice.ordinal);
  } catch (const Error& error) {
    own = fmt::format("-rank {}: {}", control.rank(), error.message());
  }
  const std::vector<std::string> uuids = control.gather(own);
  std::string verdict;
  for (const std::string& uuid : uuids) {
    if (uuid.starts_with('-') && verdict.empty()) verdict = uuid;
  }
  if (verdict.empty()) verdict = first_shared(uuids);
  verdict = control.broadcast(verdict);
  if (verdict.starts_with('-')) throw Error(ExitCode::kEnvironment, verdict.substr(1));
  choice.shared = !verdict.empty();
  STEPMARK_CHECK(
      allow_shared || !choice.shared,
      "{}: this host has {} ranks and this process sees {} GPUs; {}; start no more ranks "
      "per host than it has GPUs, or let them share one to check results, never speed "
      "(--share-gpu)",
      verdict, control.local_size(), count, visible_devices());
  return choice;
}

}  // namespace stepmark
