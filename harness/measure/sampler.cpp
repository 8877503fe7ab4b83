// SPDX-License-Identifier: Apache-2.0
// Before each iteration all ranks agree that nobody failed, so that none enters a body that waits
// for a rank that has left. The decision goes from rank 0 to the others as text.
#include "harness/measure/sampler.h"

#include <array>
#include <chrono>
#include <cmath>
#include <exception>
#include <string_view>

#include "harness/measure/stop_rule.h"

namespace stepmark {
namespace {

// Runs iterations in lock-step and shares failures.
class LockStep {
 public:
  LockStep(Control& control, const Body& body) : control_(control), body_(body) {}

  // Maximum over ranks of the time of each last of `stride` iterations. Throws on all ranks if any
  // body threw.
  std::vector<double> run(int samples, int stride) {
    std::vector<double> time_s;
    for (int i = 1; i <= samples * stride; ++i) {
      leave_together();
      control_.barrier();
      const double seconds = run_body();
      if (i % stride == 0) time_s.push_back(seconds);
    }
    leave_together();
    control_.max_in_place(time_s);
    return time_s;
  }

 private:
  double run_body() {
    try {
      const double seconds = body_();
      STEPMARK_CHECK(std::isfinite(seconds) && seconds >= 0, "an iteration reported {} s", seconds);
      return seconds;
    } catch (...) {
      failure_ = std::current_exception();
      return 0;
    }
  }

  // After a failure the ranks must not enter the next body, which may wait for the failed one.
  void leave_together() {
    std::array<double, 1> failed{failure_ ? control_.rank() + 1.0 : 0.0};
    control_.max_in_place(failed);
    if (failure_) std::rethrow_exception(failure_);
    if (failed[0] > 0) throw PeerError(static_cast<int>(failed[0]) - 1);
  }

  Control& control_;
  const Body& body_;
  std::exception_ptr failure_;
};

}  // namespace

std::string_view name_of(StopReason reason) {
  constexpr std::array<std::string_view, 3> kNames{"precision", "max_samples", "budget"};
  return kNames.at(static_cast<std::size_t>(reason));
}

PeerError::PeerError(int failed_rank)
    : Error(ExitCode::kNotMeasured,
            fmt::format("rank {} failed in this case; its own message says why", failed_rank)) {}

Samples sample(Control& control, const StopRule& rule, const Body& body, const Clock& clock,
               const Progress& progress) {
  const double start_s = clock();
  LockStep steps(control, body);
  Samples out;
  // Wall clock per iteration, barriers included; rank 0's is the one that counts.
  double iteration_s = 0;
  const auto run = [&](int samples, int stride) {
    const double begin_s = clock();
    std::vector<double> time_s = steps.run(samples, stride);
    const int iterations = samples * stride;
    iteration_s = (clock() - begin_s) / iterations;
    out.iterations += iterations;
    return time_s;
  };

  for (; out.warmup < rule.warmup; ++out.warmup) static_cast<void>(run(1, 1));
  for (;;) {
    Decision decision;
    if (control.rank() == 0) {
      const auto samples = static_cast<int>(out.time_s.size());
      const Precision precision = precision_of(out.time_s);
      if (progress && samples > 0) progress(samples, precision.half_width);
      decision = decide(rule, samples, precision, clock() - start_s, iteration_s);
    }
    decision = decision_from_text(control.broadcast(to_text(decision)));
    if (decision.next == 0) {
      out.reason = decision.reason;
      out.few_effective = decision.few_effective;
      return out;
    }
    const int first = out.iterations + decision.stride - 1;
    const std::vector<double> batch = run(decision.next, decision.stride);
    out.time_s.insert(out.time_s.end(), batch.begin(), batch.end());
    for (int i = 0; i < decision.next; ++i) out.calls.push_back(first + i * decision.stride);
  }
}

double steady_clock_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace stepmark
