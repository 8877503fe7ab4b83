// SPDX-License-Identifier: Apache-2.0
// Loaded in front of a rank of scripts/reference/step_forms.sh --link: where MPI yields its core
// since nothing has arrived, it rests instead, so that a rank that waits for the link leaves the
// core to what it computes. MPI asks the link by polling, which takes a core of its own otherwise.
#include <sched.h>

#include <ctime>

extern "C" int sched_yield() noexcept {
  constexpr long kRestNs = 100'000;
  const timespec rest{.tv_sec = 0, .tv_nsec = kRestNs};
  nanosleep(&rest, nullptr);
  return 0;
}
