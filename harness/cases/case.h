// SPDX-License-Identifier: Apache-2.0
// A case: one thing measured. All ranks run the same cases in the same order; each checks before it
// times, and every rank returns a record (rank 0's is kept).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collectives/comm.h"
#include "core/control.h"
#include "core/device.h"
#include "harness/exec/executor.h"
#include "harness/measure/sampler.h"
#include "harness/measure/telemetry.h"
#include "harness/spec/known_gpu.h"
#include "harness/spec/link.h"
#include "kernels/op.h"
#include "results/record/record.h"

namespace stepmark {

// What the device reaches in this run, all ranks at work: the bounds of the roofline.
// Per rank; 0: unknown.
struct DevicePeaks {
  double gemm_flops_per_s = 0;       // large fp32 GEMM
  double gemm_bf16_flops_per_s = 0;  // the same of bf16, summed in fp32
  double copy_bytes_per_s = 0;       // read plus write
  double cache_bytes = 0;            // the device's largest cache; probe_peaks cannot tell
  // Of GEMMs of this type.
  [[nodiscard]] double gemm_of(DType dtype) const {
    return dtype == DType::f32    ? gemm_flops_per_s
           : dtype == DType::bf16 ? gemm_bf16_flops_per_s
                                  : 0.0;
  }
};

// Label of a step whose Chrome trace could not be written; the measurement stands.
inline constexpr std::string_view kTraceNotWritten = "trace not written";

// What is known of ops that were checked against their reference, by op and dtype.
using OpChecks = std::map<std::pair<OpId, DType>, Check>;

// What a user may choose of how cases are measured.
struct CaseOptions {
  std::string trace_dir;     // where steps write Chrome traces on rank 0; empty: nowhere
  bool eager = false;        // no captured graphs, see PrepareOptions
  bool verify_only = false;  // `rule` is one sample; loops that serve time are left out
};

// What a case may use. `rule.budget_s` is the case's share.
struct CaseContext {
  Control& control;
  Comm& world;
  Executor& executor;
  const PeakReference& reference;  // specified peaks of the device
  const DevicePeaks& peaks;
  StopRule rule;
  Progress progress;
  std::uint64_t seed = 1;
  std::int64_t memory_limit_bytes = 0;   // of the host, for all its ranks together; 0: unknown
  Telemetry* telemetry = nullptr;        // of this rank's device; null: none
  OpChecks* op_checks = nullptr;         // of the run; null: every case checks its op anew
  const LinkReference* links = nullptr;  // declared rates; null: none
  CaseOptions options;
};

class Case {
 public:
  virtual ~Case() = default;
  [[nodiscard]] virtual const std::string& id() const = 0;
  // All that decides what is measured; where ids round or leave out settings, this does not. Cases
  // of one definition are one case, whatever led to them.
  [[nodiscard]] virtual std::string definition() const { return id(); }
  [[nodiscard]] virtual std::string_view family() const = 0;
  // Share of the run's budget relative to other cases.
  [[nodiscard]] virtual double weight() const { return 1.0; }
  // Fills everything but id, family, times of start and end. Collective over the world.
  // Throws what the executor or a check throws; not being able to run here is an outcome, not a
  // throw.
  [[nodiscard]] virtual Record run(CaseContext& context) = 0;
};

// What a suite comes to in a world, and what of it was left out or met, for the user to read.
struct Expansion {
  std::vector<std::unique_ptr<Case>> cases;
  std::vector<std::string> remarks;
};

// A case that cannot run in this world, with its reason.
[[nodiscard]] std::unique_ptr<Case> make_skipped_case(std::string id, std::string family,
                                                      std::string reason);

// Measures the peaks: collective, a second or two.
[[nodiscard]] DevicePeaks probe_peaks(Control& control, Executor& executor);

}  // namespace stepmark
