// SPDX-License-Identifier: Apache-2.0
// The programs of family `overlap`: GEMMs on one stream, and on another a collective or what
// stands in for one. Internal to harness/cases.
#pragma once

#include <memory>
#include <optional>

#include "harness/cases/concurrent.h"

namespace stepmark {

struct OverlapSpec {
  OpShape gemm;
  std::optional<CollectiveKind> kind;  // nothing: the stand-in `occupy`
  std::int64_t bytes = 0;
  DType comm_dtype = DType::f32;
  ReduceOp op = ReduceOp::sum;
  std::int64_t ctas = 0;  // limit of the collective (0: none), or blocks of the stand-in
  bool high_priority = false;
  [[nodiscard]] const char* comm_stream() const { return high_priority ? "comm-high" : "comm"; }
};

// How often each is done; `occupy_ns`: how long one stand-in lasts. 0 calls leave a side out.
struct OverlapWork {
  std::int64_t gemms = 0, comms = 0;
  std::int64_t occupy_ns = 0;
};

// The spec's collective in a group.
[[nodiscard]] Traffic make_traffic(const OverlapSpec& spec, const Group& group, std::uint64_t seed);

inline constexpr const char* kOverlapComputeStream = "compute";

// Of the operands of this rank's work, of any number of calls.
[[nodiscard]] std::int64_t overlap_bytes(const OverlapSpec& spec, const OverlapWork& work,
                                         const Group& group);

// One of the three programs, prepared and filled. The collective is over `group`.
class OverlapRun {
 public:
  OverlapRun(Executor& executor, CommSet& comms, const OverlapSpec& spec, const OverlapWork& work,
             const Group& group, std::uint64_t seed);
  [[nodiscard]] Runnable& runnable() { return *runnable_; }
  // Poisons what the collective and the stand-in write.
  void refill();
  // After a run. Nothing where there is no collective.
  [[nodiscard]] std::optional<Verification> verify_comm();
  // Whether every block of the stand-in came to its end; true where there is none.
  [[nodiscard]] bool all_done();
  [[nodiscard]] std::vector<std::byte> gemm_result();

 private:
  [[nodiscard]] void* buffer(const char* name);
  Executor& executor_;
  OverlapSpec spec_;
  std::unique_ptr<Runnable> runnable_;
  std::optional<CollectiveBuffers> buffers_;  // of the collective, in the program's memory
};

}  // namespace stepmark
