// SPDX-License-Identifier: Apache-2.0
// Owns warm-up, loop, clock and stop rule. A Body only does one iteration and says how long it took
// on this rank; ranks decide together: a sample is the maximum over ranks, decisions are rank 0's.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/control.h"
#include "core/error.h"

namespace stepmark {

struct StopRule {
  double precision = 0.01;  // wanted half-width of the 95 % interval of the median, relative
  int min_samples = 10;     // of the steady state
  // Effective samples without which `precision` does not stop: fewer tell their own dependence too
  // badly, and stopping picks the moments at which it is underrated.
  double min_effective = 40;
  int max_samples = 1000;
  double budget_s = 10.0;  // wall clock for warm-up and sampling of this case
  // `precision` does not stop before, and max_samples lie this far apart at least (or 0.8 of the
  // budget): a machine has states of up to a second, and samples of one state know nothing of it.
  double span_s = 1.0;
  int warmup = 2;  // iterations thrown away, at least
};

enum class StopReason { precision, max_samples, budget };
[[nodiscard]] std::string_view name_of(StopReason reason);

struct Samples {
  std::vector<double> time_s;  // maximum over ranks, one per iteration that is a sample
  std::vector<int> calls;      // of the body, warm-up included, from 0: which each sample was
  StopReason reason = StopReason::precision;
  int warmup = 0;              // iterations thrown away before the first
  int iterations = 0;          // all: those between samples lead to the next one
  bool few_effective = false;  // ended with fewer effective samples than the rule wants
};

// Seconds of one iteration on this rank, finite and >= 0. Called in lock-step on all ranks (a
// barrier precedes it).
using Body = std::function<double()>;
using Clock = std::function<double()>;  // seconds, monotonic; replaceable in tests
// Called on rank 0 after each batch: samples so far, current relative half-width (infinite while
// there are too few).
using Progress = std::function<void(int samples, double half_width)>;

// Another rank's body failed: that rank has the reason.
class PeerError : public Error {
 public:
  explicit PeerError(int failed_rank);
};

// Collective: the same rule on all ranks; the same Samples on all ranks. At least one sample is
// taken, whatever the budget. When a body throws, all ranks leave at the next iteration: the
// failing one with its exception, the others with PeerError. (A rank that is waiting inside its
// body for the failed one cannot leave; that is the watchdog's case.)
[[nodiscard]] Samples sample(Control& control, const StopRule& rule, const Body& body,
                             const Clock& clock, const Progress& progress = {});
[[nodiscard]] double steady_clock_seconds();

}  // namespace stepmark
