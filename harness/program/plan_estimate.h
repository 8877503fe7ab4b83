// SPDX-License-Identifier: Apache-2.0
// What a step sends and computes, without building it: for lists of thousands of plans. Bytes and
// FLOPs are those of small slices of the plan, extended in what they grow along: layers,
// micro-steps, the micro-batch, and ranks that share state. So a form that lowering learns is
// counted here as well. Tests hold it to whole programs. A peak of memory does not grow like this:
// step_memory_bytes() plans it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "harness/program/routed_rows.h"
#include "harness/program/step.h"

namespace stepmark {

struct PlanEstimate {
  // Parameters, gradients and optimizer state of the rank that has most, in bytes; its step needs
  // more. Exact but for padding.
  double state_bytes = 0;
  // That a rank puts on the links per step, by axis, of the rank that sends most there. Exact but
  // for what fills up buckets and shards.
  std::map<std::string, double> bus_bytes;
  double bubble = 0;  // idle over total time, of equal stages (bubble_of)
  // Of kernels that do again what a forward pass has done; of the rank that has most. Exact.
  double recomputed_flops = 0;
  // Of the experts' GEMMs, forward and backward: what the rank whose experts get most rows of a
  // layer computes beyond an even share of them, over all layers. The others wait for it. Exact.
  double uneven_flops = 0;
};

// Idle over total time of a pipeline of equal stages whose forward, input gradients and weight
// gradients take one unit each: (p-1)/(v m + p-1), ZB-H1 (p-1)/(3 m + p-1) (arXiv 2104.04473,
// 2401.10241); tests compare them with the schedules' grids.
[[nodiscard]] double bubble_of(const Plan& plan);

// What a stage of some kind holds and sends, as it grows. Sums of such are such.
struct StageCost {
  // A quantity: step + micro m + layer L + layer_micro L m.
  struct Growth {
    double step = 0, micro = 0, layer = 0, layer_micro = 0;
  };
  struct Bus {
    std::int64_t ranks = 0;  // of the group that was looked at
    Growth bytes;
  };
  std::map<std::string, Bus> bus;  // by group
  Growth recomputed_flops;
  Growth state_bytes;
};

// Of one model on one kind of device. Slices that plans share are built once: those of a share of
// the layers (tensor parallelism, recomputation, micro-batch) apart from those of shared state
// (data-parallel ranks, ZeRO).
class PlanEstimator {
 public:
  PlanEstimator(const Model& model, const DeviceTraits& traits)
      : model_(model), traits_(traits), rows_(model) {}
  // `plan` must be resolved for the model.
  [[nodiscard]] PlanEstimate estimate(const Plan& plan);

 private:
  enum class Kind : std::uint8_t { only, first, middle, last };
  [[nodiscard]] StageCost stage_of(const Plan& plan, Kind kind);
  [[nodiscard]] StageCost shared_state(const Plan& plan, Kind kind);
  [[nodiscard]] const StageCost& measured(const Plan& plan, Kind kind);
  // Of a stage and micro-step, what rows that a seed routes are beyond what a router has room for,
  // or expects: bytes on the links, FLOPs that are done again, and those that others wait for.
  struct Routed {
    double bytes = 0, recomputed_flops = 0, uneven_flops = 0;
  };
  [[nodiscard]] Routed beyond_router(const Plan& plan, std::span<const ModelStage> parts);

  Model model_;
  DeviceTraits traits_;
  RoutedRows rows_;
  std::map<std::string, StageCost> stages_;  // by plan of the slice, and kind
};

}  // namespace stepmark
