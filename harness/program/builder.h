// SPDX-License-Identifier: Apache-2.0
// Builds a program op by op and finds the dependencies: an op waits for every earlier op on another
// stream that wrote what it reads, or that read or wrote what it writes. Order within a stream is
// implied. A wait that an earlier wait of the same stream already covers is left out.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "harness/program/buffer_uses.h"
#include "harness/program/fewest_waits.h"
#include "harness/program/program.h"

namespace stepmark {

class ProgramBuilder {
 public:
  ProgramBuilder(std::string name, std::int32_t rank, std::int32_t world_size);

  void add_group(Group group);
  // A new buffer of `elements`; Error(kUsage) when the name exists. Returns the whole of it.
  BufferSlice add_buffer(std::string name, BufferKind kind, DType dtype, std::int64_t elements);
  // Index of a buffer that add_buffer was called for, or -1.
  [[nodiscard]] std::int32_t buffer_index(const std::string& name) const;
  // Part of a slice, in elements relative to it.
  [[nodiscard]] static BufferSlice part(BufferSlice slice, std::int64_t offset,
                                        std::int64_t elements);

  // Makes room for about so many ops: growing moves them all.
  void expect_ops(std::size_t ops) { program_.ops.reserve(ops); }
  void set_phase(Phase phase) { phase_ = phase; }
  // The next op waits for all that `stream` has so far, whatever they read and write.
  void wait_for(std::string_view stream);
  // Ops go to the stream `stream`, created on first use.
  void kernel(std::string label, std::string_view stream, const OpShape& shape,
              std::vector<BufferSlice> operands);
  void comm(std::string label, std::string_view stream, CommShape shape, BufferSlice send,
            BufferSlice recv);

  [[nodiscard]] const Program& program() const { return program_; }
  [[nodiscard]] Program take() && { return std::move(program_); }

 private:
  std::int32_t stream_index(std::string_view stream);
  void push(Op op, const std::vector<std::pair<BufferSlice, Access>>& uses);

  Program program_;
  Phase phase_ = Phase::forward;
  std::unordered_map<std::string, std::int32_t> buffer_index_;  // a program has many
  std::vector<BufferUses> uses_;                                // by buffer
  std::vector<std::int32_t> last_;                              // by stream: its last op
  FewestWaits waits_;
};

}  // namespace stepmark
