// SPDX-License-Identifier: Apache-2.0
// What the steps of a run are held against: the peaks of the device that was found, or a cluster
// file's.
#pragma once

#include <optional>

#include "core/control.h"
#include "harness/spec/known_gpu.h"

namespace stepmark {

// Collective. `found`: this rank's. Error(kUsage) on all ranks where the cluster's file disagrees
// with the device of any. No peaks where ranks have devices of different peaks.
[[nodiscard]] PeakReference device_peaks(Control& control, const std::optional<Cluster>& cluster,
                                         const FoundAccelerator& found);

}  // namespace stepmark
