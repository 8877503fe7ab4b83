// SPDX-License-Identifier: Apache-2.0
// What a step program needs before it runs and yields afterwards: the initial model, the batch, and
// loss, gradient norm, parameters and gradients by name. Everything that goes in is a pure function
// of (model, plan, seed), so all plans with the same global batch train the same model on the same
// sequences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/device.h"
#include "harness/exec/executor.h"
#include "harness/program/step.h"
#include "harness/spec/param_layout.h"

namespace stepmark {

// Borrows runnable and device, which must outlive it. The runnable's program must be
// step_program(model, plan, rank, device.traits()) of any rank. Not for use while the runnable
// runs.
class StepState {
 public:
  StepState(Runnable& runnable, Device& device, const Model& model, const Plan& plan,
            std::uint64_t seed);

  // Start of training: parameters (and their fp32 masters) at initial_value, batch in place,
  // gradients, optimizer state and scalars zero. Sequence b of micro-step m in share d of D of the
  // batch is sequence (m D + d) micro_batch + b of the synthetic data set, or its part of one that
  // ranks share. Parallel (OpenMP).
  void initialise();
  // The same in buffers that are zero, as those of a Runnable that was just prepared: only what is
  // not zero is copied to the device.
  void initialise_fresh();

  // Of the last step, before its update; NaN on ranks that compute none (StepMesh::has_loss).
  [[nodiscard]] double loss() const;
  [[nodiscard]] bool has_loss() const { return mesh_.has_loss(runnable_.program().rank); }
  // Load-balancing loss of the last step, of the layers of this rank's stages, added up; NaN where
  // there are no experts. It is no part of loss().
  [[nodiscard]] double aux_loss() const;
  // Global, before clipping; NaN where the step computes none (Plan::computes_norm).
  [[nodiscard]] double gradient_norm() const;

  [[nodiscard]] const ParamLayout& layout() const { return layout_; }
  // This rank's part of a parameter of layout(), (local_rows, cols) row-major without padding,
  // widened to fp32. Where parameters are sharded, or gathered with the next step only, that is so
  // of what this rank updates (updated_here); the rest is 0 or of the step before.
  [[nodiscard]] std::vector<float> param_values(const Param& param) const;
  // Its gradient as the optimizer saw it: summed over the global batch, before clipping. Where each
  // rank updates a shard, that is so within the shard alone.
  [[nodiscard]] std::vector<float> grad_values(const Param& param) const;
  // Of each of these values, whether this rank updates the parameter there.
  [[nodiscard]] std::vector<bool> updated_here(const Param& param) const;
  // What lies in the padding of a parameter, of its gradient and of its optimizer state, largest
  // absolute value; NaN counts as infinite. 0 unless something is wrong.
  [[nodiscard]] double largest_padding(const Param& param) const;
  // The same of what lies between parameters, which fills up lines and shards.
  [[nodiscard]] double largest_between() const;
  // The whole flat parameter buffer as stored: for bit-for-bit comparison between ranks.
  [[nodiscard]] std::vector<std::byte> param_bytes() const;
  // A number that differs when these bytes do, but for chance: for ranks far apart. Where no rank
  // has whole parameters after a step, of what this rank updates of them.
  [[nodiscard]] std::uint64_t param_digest() const;
  // Whether a step leaves whole parameters on this rank.
  [[nodiscard]] bool whole_after_step() const;
  // The ranks that have the same digest then: those that see other sequences, or that hold the same
  // shards.
  [[nodiscard]] std::vector<std::int32_t> replicas(std::int32_t rank) const;

 private:
  void initialise_params();
  void initialise_batch();
  void zero(const BufferDecl& buffer, void* data);
  [[nodiscard]] std::vector<float> values(const char* buffer, const Param& param) const;
  // Calls visit(first, values) for what parameters, gradients and optimizer state have in [begin,
  // end) of the flat buffers, which lies in one bucket; of state it is what this rank has.
  template <class Visit>
  void for_each_flat(std::int64_t begin, std::int64_t end, Visit visit) const;
  void initialise_master(std::int64_t offset, const std::vector<float>& values);
  // Parameters [offset, ...) of the flat layout, as far as this rank has them.
  template <class T>
  void initialise_stored(std::int64_t offset, const std::vector<T>& values);
  // Digest of `count` parameters from element `begin` of the buffer on.
  [[nodiscard]] std::uint64_t digest(std::uint64_t digest, std::int64_t begin,
                                     std::int64_t count) const;
  [[nodiscard]] std::vector<float> read(const char* buffer, std::int64_t offset,
                                        std::int64_t elements) const;
  [[nodiscard]] std::int32_t index_of(const char* buffer) const;  // Error(kUsage) when absent

  Runnable& runnable_;
  Device& device_;
  Model model_;
  Plan plan_;
  std::uint64_t seed_;
  StepMesh mesh_;
  ParamLayout layout_;
};

}  // namespace stepmark
