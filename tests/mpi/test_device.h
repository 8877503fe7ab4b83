// SPDX-License-Identifier: Apache-2.0
// The smallest device on which collectives can be tested: host memory, a stream that runs a task
// within submit(), and a stream that runs tasks in a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>

#include "core/device.h"

namespace stepmark::test {

class InstantEvent final : public Event {
 public:
  void reach() {
    time_ns_ = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  }
  void synchronize() override {}
  std::int64_t time_ns() const override { return time_ns_; }

 private:
  std::int64_t time_ns_ = -1;
};

class ImmediateStream final : public Stream {
 public:
  void submit(Task task) override { task(); }
  void record(Event& event) override { dynamic_cast<InstantEvent&>(event).reach(); }
  void wait(Event&) override {}
  void synchronize() override {}
  std::string_view name() const override { return "immediate"; }
};

// Tasks run in order in one thread; the first exception stops them and surfaces in synchronize().
class ThreadStream final : public Stream {
 public:
  ThreadStream() : thread_([this] { run(); }) {}
  ~ThreadStream() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void submit(Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }
  void record(Event& event) override {
    submit([&event] { dynamic_cast<InstantEvent&>(event).reach(); });
  }
  void wait(Event&) override {}
  void synchronize() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return (tasks_.empty() && !busy_) || failure_; });
    if (failure_) std::rethrow_exception(failure_);
  }
  std::string_view name() const override { return "thread"; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return closing_ || (!tasks_.empty() && !failure_); });
      if (tasks_.empty() || failure_) return;
      const Task task = std::move(tasks_.front());
      tasks_.pop_front();
      busy_ = true;
      lock.unlock();
      std::exception_ptr failure;
      try {
        task();
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      failure_ = failure;
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::exception_ptr failure_;
  bool busy_ = false;
  bool closing_ = false;
  std::thread thread_;  // last: it uses all of the above
};

class HostMemoryDevice final : public Device {
 public:
  std::string_view backend() const override { return "host"; }
  DeviceTraits traits() const override { return kHostTraits; }
  Memory allocate(std::size_t bytes) override {
    constexpr std::align_val_t kAlignment{256};
    void* data = ::operator new(bytes, kAlignment);
    return Memory(data, bytes, [](void* p) { ::operator delete(p, kAlignment); });
  }
  std::unique_ptr<Stream> create_stream(std::string) override {
    return std::make_unique<ThreadStream>();
  }
  std::unique_ptr<Event> create_event() override { return std::make_unique<InstantEvent>(); }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override {
    std::memcpy(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override {
    std::memcpy(host, device, bytes);
  }
};

}  // namespace stepmark::test
