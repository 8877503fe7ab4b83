// SPDX-License-Identifier: Apache-2.0
// One GPU of this process. Streams are cudaStreams: submit() runs the task at once on the calling
// thread, and the task enqueues. Any thread may use the device; each call makes it the calling
// thread's current one. Nothing here chooses a CUDA runtime: executables do.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>
#include <string>

#include "core/control.h"
#include "core/device.h"
#include "harness/exec/cuda/cuda_clock.h"
#include "harness/exec/cuda/cuda_memory.h"
#include "harness/exec/cuda/cuda_wait.h"
#include "harness/exec/cuda/staged_copies.h"

namespace stepmark {

class CudaDevice final : public Device {
 public:
  // As make_cuda_device().
  explicit CudaDevice(int ordinal);

  [[nodiscard]] std::string_view backend() const override { return "cuda"; }
  [[nodiscard]] DeviceTraits traits() const override { return kGpuTraits; }
  // Stream-ordered memory of a pool of this device's own that keeps what is freed. The memory is
  // there when the call returns. Error(kEnvironment) with the bytes asked for, free and total when
  // there is not enough. Work that uses the memory must have ended when it is released.
  [[nodiscard]] Memory allocate(std::size_t bytes) override;
  // Streams do not wait for the legacy stream. Names that end in "-high" have the highest priority,
  // names that end in "-low" the lowest, all others the one above that, where there are three.
  [[nodiscard]] std::unique_ptr<Stream> create_stream(std::string name) override;
  // Events with time: nanoseconds since the device was created, to about 0.5 us and 6e-8 of the
  // time between two events (see CudaClock).
  [[nodiscard]] std::unique_ptr<Event> create_event() override;
  // Through pinned buffers. Not ordered after work of streams: synchronize these first.
  void copy_to_device(void* device, const void* host, std::size_t bytes) override;
  void copy_to_host(void* host, const void* device, std::size_t bytes) override;

  // Called about every 10 ms while something waits for the GPU, on the waiting thread; what it
  // throws ends the wait. A collective whose peer died never ends by itself.
  void set_health_check(std::function<void()> check) { wait_.set_health_check(std::move(check)); }

  [[nodiscard]] int ordinal() const { return ordinal_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::size_t l2_bytes() const { return l2_bytes_; }
  [[nodiscard]] int sm_count() const { return sm_count_; }
  void make_current() const;
  [[nodiscard]] CudaWait& wait() { return wait_; }
  [[nodiscard]] CudaClock& clock() { return clock_; }

 private:
  int ordinal_;
  std::string name_;
  std::size_t l2_bytes_ = 0;
  int sm_count_ = 0;
  CudaWait wait_;
  CudaMemory memory_;
  CudaClock clock_;
  StagedCopies copies_;
};

// Error(kEnvironment) where there is no GPU of that ordinal (what CUDA shows, CUDA_VISIBLE_DEVICES
// and what to do) or CUDA does not work.
[[nodiscard]] std::unique_ptr<CudaDevice> make_cuda_device(int ordinal);
// The CudaDevice behind a Device; Error when it is another one.
[[nodiscard]] CudaDevice& as_cuda_device(Device& device);

struct DeviceChoice {
  int ordinal = 0;      // as this process sees them
  bool shared = false;  // some GPU of the run has several ranks: on all ranks alike
};
// One GPU per rank, by rank on the host. Collective over `control`; whether two ranks got the same
// GPU is told by its UUID, so launchers may show every rank its own GPU only, or all of them.
// Error(kEnvironment) on every rank where ranks would share a GPU and may not.
[[nodiscard]] DeviceChoice choose_device(Control& control, bool allow_shared = false);

}  // namespace stepmark
