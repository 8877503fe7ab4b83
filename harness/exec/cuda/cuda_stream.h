// SPDX-License-Identifier: Apache-2.0
// Stream and Event of the CUDA device. Both must go before their device.
#pragma once

#include <atomic>
#include <exception>
#include <string>

#include "core/cuda/handles.h"
#include "core/device.h"
#include "harness/exec/cuda/cuda_device.h"

namespace stepmark {

class CudaEvent final : public Event {
 public:
  explicit CudaEvent(CudaDevice& device) : device_(device), event_(cuda::make_timing_event()) {}
  // Also throws what failed on the GPU meanwhile, or what the device's health check throws.
  void synchronize() override;
  // While the latest record is still to be reached: the time known last.
  [[nodiscard]] std::int64_t time_ns() const override;
  [[nodiscard]] cudaEvent_t native() const { return event_.get(); }
  void set_recorded() { recorded_ = true; }

 private:
  CudaDevice& device_;
  cuda::EventOwner event_;
  std::atomic<bool> recorded_{false};
  mutable std::atomic<std::int64_t> known_ns_{-1};
};

class CudaStream final : public Stream {
 public:
  CudaStream(CudaDevice& device, std::string name);

  // A task that throws ends the stream's work: later tasks are passed over until synchronize() has
  // thrown the failure.
  void submit(Task task) override;
  void record(Event& event) override;
  void wait(Event& event) override;
  void synchronize() override;
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] void* native() const override { return stream_.get(); }
  [[nodiscard]] cudaStream_t cuda() const { return stream_.get(); }

 private:
  CudaDevice& device_;
  std::string name_;
  cuda::StreamOwner stream_;
  std::exception_ptr failure_;
};

}  // namespace stepmark
