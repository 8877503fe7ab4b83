// SPDX-License-Identifier: Apache-2.0
// Records are numbered: a wait is for the number last announced, so that a later record of the same
// event does not release it early.
#include "harness/exec/host/host_event.h"

namespace stepmark {

std::uint64_t HostEventState::announce() {
  const std::lock_guard lock(mutex_);
  return ++announced_;
}

void HostEventState::reach(std::uint64_t ticket) {
  {
    const std::lock_guard lock(mutex_);
    if (ticket > reached_) reached_ = ticket;
    time_ns_ = steady_ns();
  }
  reached_changed_.notify_all();
}

void HostEventState::wait_latest() { wait(latest()); }

void HostEventState::wait(std::uint64_t ticket) {
  std::unique_lock lock(mutex_);
  reached_changed_.wait(lock, [&] { return reached_ >= ticket; });
}

std::uint64_t HostEventState::latest() const {
  const std::lock_guard lock(mutex_);
  return announced_;
}

std::int64_t HostEventState::time_ns() const {
  const std::lock_guard lock(mutex_);
  return time_ns_;
}

}  // namespace stepmark
