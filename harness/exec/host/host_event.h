// SPDX-License-Identifier: Apache-2.0
// Event of the host device: a count of records reached and the steady-clock time of the last.
// Thread-safe. The state outlives the event while streams still refer to it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/device.h"
#include "harness/exec/steady_ns.h"

namespace stepmark {

class HostEventState {
 public:
  // Announces a record; returns its ticket (1, 2, ...).
  std::uint64_t announce();
  void reach(std::uint64_t ticket);
  // Blocks until the latest announced record, or the given one, was reached.
  void wait_latest();
  void wait(std::uint64_t ticket);
  [[nodiscard]] std::uint64_t latest() const;
  [[nodiscard]] std::int64_t time_ns() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable reached_changed_;
  std::uint64_t announced_ = 0;
  std::uint64_t reached_ = 0;
  std::int64_t time_ns_ = -1;
};

class HostEvent final : public Event {
 public:
  void synchronize() override { state_->wait_latest(); }
  [[nodiscard]] std::int64_t time_ns() const override { return state_->time_ns(); }
  [[nodiscard]] const std::shared_ptr<HostEventState>& state() const { return state_; }

 private:
  std::shared_ptr<HostEventState> state_ = std::make_shared<HostEventState>();
};

}  // namespace stepmark
