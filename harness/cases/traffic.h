// SPDX-License-Identifier: Apache-2.0
// A collective as an op of a program: the call that this rank makes, its buffers between guard
// zones, filled with data that is known element by element, and the check of every element. What
// the families `collective`, `groups` and `overlap` measure. Internal to harness/cases.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "collectives/collective.h"
#include "collectives/verify.h"
#include "core/control.h"
#include "harness/exec/executor.h"
#include "harness/program/builder.h"

namespace stepmark {

struct Traffic {
  Group group;
  const Collective* collective = nullptr;
  CollectiveSetup setup;
  CollectiveSizes sizes;
  CommShape shape;
  [[nodiscard]] int ranks() const { return static_cast<int>(group.ranks.size()); }
};
[[nodiscard]] Traffic make_traffic(Group group, const Collective& collective,
                                   const CollectiveSetup& setup);
// Out of place; `bytes` as nccl-tests counts. Error(kUsage) for a size that leaves no element.
[[nodiscard]] Traffic make_traffic(Group group, CollectiveKind kind, DType dtype,
                                   std::int64_t bytes, std::uint64_t seed);

// All ranks of a run as a group of this name.
[[nodiscard]] Group world_group(std::string axis, const Control& control);

// The comm of a program that has one group.
class OneComm final : public CommSet {
 public:
  OneComm(std::string axis, Comm& comm) : axis_(std::move(axis)), comm_(comm) {}
  [[nodiscard]] Comm& of(std::string_view axis) override;

 private:
  std::string axis_;
  Comm& comm_;
};

// Operands of the call within its buffers, which are `name`.send and `name`.recv of the program.
struct TrafficOperands {
  BufferSlice send, recv;
};
[[nodiscard]] TrafficOperands add_buffers(ProgramBuilder& builder, const Traffic& traffic,
                                          const std::string& name);
// Of the prepared program; to fill before its first run. `comm` makes the calls.
[[nodiscard]] CollectiveBuffers buffers_of(Device& device, const Traffic& traffic,
                                           Runnable& runnable, const std::string& name,
                                           const Comm& comm);

}  // namespace stepmark
