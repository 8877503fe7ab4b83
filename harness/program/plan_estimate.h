// SPDX-License-Identifier: Apache-2.0
// What a step costs, without building it: for lists of thousands of plans. Bytes, buffers and their
// peak are those of small slices of the same plan (two and three layers a stage, as many
// micro-steps), extended in both, since layers and micro-steps repeat. So a form that lowering
// learns is counted here as well. Tests hold it to whole programs.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "harness/program/step.h"

namespace stepmark {

struct PlanEstimate {
  // Of the rank that needs most, in bytes: 5 % from step_memory_bytes(), which plans every buffer,
  // in the mean of tests, and 20 % at worst.
  double memory_bytes = 0;
  // That a rank puts on the links per step, by axis, of the rank that sends most there. Exact but
  // for what fills up buckets and shards.
  std::map<std::string, double> bus_bytes;
  double bubble = 0;  // idle over total time, of equal stages (bubble_of)
};

// Idle over total time of a pipeline of equal stages whose forward, input gradients and weight
// gradients take one unit each: (p-1)/(v m + p-1), ZB-H1 (p-1)/(3 m + p-1) (arXiv 2104.04473,
// 2401.10241); tests compare them with the schedules' grids.
[[nodiscard]] double bubble_of(const Plan& plan);

// Of one model on one kind of device. Slices that plans share are built once.
class PlanEstimator {
 public:
  PlanEstimator(const Model& model, const DeviceTraits& traits) : model_(model), traits_(traits) {}
  // `plan` must be resolved for the model.
  [[nodiscard]] PlanEstimate estimate(const Plan& plan);

 private:
  // A quantity of a stage: step + micro m + layer L + layer_micro L m.
  struct Growth {
    double step = 0, micro = 0, layer = 0, layer_micro = 0;
  };
  // Of a stage of some kind; memory of one micro-step in flight.
  struct Stage {
    std::map<std::string, Growth> bus;      // by axis
    double kept = 0, kept_layer = 0;        // bytes of what has a place of its own, inputs left out
    double flight = 0, flight_layer = 0;    // bytes of activations
    double inputs = 0;                      // bytes of inputs of a micro-step
    double passing = 0, passing_layer = 0;  // bytes that the peak has beside that
  };
  enum class Kind : std::uint8_t { only, first, middle, last };
  [[nodiscard]] const Stage& stage_of(const Plan& plan, Kind kind);
  [[nodiscard]] std::int32_t sets_of(const Plan& plan, std::int32_t place);

  Model model_;
  DeviceTraits traits_;
  std::map<std::string, Stage> stages_;       // by plan of the slice, and kind
  std::map<std::string, std::int32_t> sets_;  // in flight, by schedule and place
};

}  // namespace stepmark
