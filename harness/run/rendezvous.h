// SPDX-License-Identifier: Apache-2.0
// A barrier that outlives MPI: ranks meet again after MPI_Finalize, before any starts MPI anew. A
// launcher's server that hears of one rank's second start before another's first end mixes the two
// up: it completes the new start without that rank, and the job hangs (seen with Open MPI 4.1.4).
#pragma once

#include <memory>

#include "core/control.h"

namespace stepmark {

class Rendezvous {
 public:
  // Collective. Rank 0 listens, every other rank connects to it by TCP, also over networks between
  // hosts. Where one cannot, all ranks will wait a fixed time instead of meeting.
  explicit Rendezvous(Control& control);
  ~Rendezvous();
  Rendezvous(Rendezvous&&) noexcept;
  Rendezvous& operator=(Rendezvous&&) noexcept;

  // Whether ranks are connected; the same on all.
  [[nodiscard]] bool connected() const;
  // Returns on every rank after it was called on all. Error(kEnvironment) when another rank is gone
  // or does not come within `seconds`.
  void meet(double seconds);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stepmark
