// SPDX-License-Identifier: Apache-2.0
// What runs operations: memory, streams and events. Streams execute their tasks in order; events
// order tasks across streams and carry the time at which they were reached.
//
// The host device (harness/exec/host) runs a stream on a worker thread; the CUDA device issues to a
// cudaStream. Verbs of a Comm and kernels take a Stream&, so a *recording* stream (see
// harness/exec) can capture what would be submitted and replay it without any virtual call, in the
// way CUDA graph capture does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/device_traits.h"

namespace stepmark {

// Work of a stream. On the host it does the work; on CUDA it enqueues it. Throwing is allowed: the
// stream stops executing and the exception surfaces in synchronize().
using Task = std::function<void()>;

class Event {
 public:
  virtual ~Event() = default;
  // Blocks the calling thread until the event was reached (rethrows nothing).
  virtual void synchronize() = 0;
  // Nanoseconds on the device's own clock at which the event was last reached; -1 if never.
  [[nodiscard]] virtual std::int64_t time_ns() const = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;
  virtual void submit(Task task) = 0;
  virtual void record(Event& event) = 0;
  virtual void wait(Event& event) = 0;  // later tasks of this stream wait for the latest record
  virtual void synchronize() = 0;       // rethrows the first exception of a task
  [[nodiscard]] virtual std::string_view name() const = 0;
  // What libraries of the backend call a stream: a cudaStream_t on cuda, null on the host. A verb
  // or kernel that is submitted to this stream enqueues there.
  [[nodiscard]] virtual void* native() const { return nullptr; }
};

// Owning, move-only device memory, aligned to 256 bytes at least. Not initialised.
class Memory {
 public:
  Memory() = default;
  Memory(void* data, std::size_t bytes, std::function<void(void*)> release)
      : data_(data, std::move(release)), bytes_(bytes) {}
  [[nodiscard]] void* data() const { return data_.get(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<void, std::function<void(void*)>> data_{nullptr, [](void*) {}};
  std::size_t bytes_ = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  [[nodiscard]] virtual std::string_view backend() const = 0;  // "host", "cuda"
  [[nodiscard]] virtual DeviceTraits traits() const = 0;
  [[nodiscard]] virtual Memory allocate(std::size_t bytes) = 0;
  // The name says what the stream is for: "compute..." and "optimizer..." get the compute threads
  // of the host; a name that ends in "-high" the device's highest priority, where the device has
  // such, and one that ends in "-low" a priority below all other streams.
  [[nodiscard]] virtual std::unique_ptr<Stream> create_stream(std::string name) = 0;
  [[nodiscard]] virtual std::unique_ptr<Event> create_event() = 0;
  // Synchronous copies between host memory and device memory.
  virtual void copy_to_device(void* device, const void* host, std::size_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, std::size_t bytes) = 0;
};

}  // namespace stepmark
