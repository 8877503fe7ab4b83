// SPDX-License-Identifier: Apache-2.0
// Ranks of different devices have no common peak, so there is none unless a cluster file states it.
#include "harness/run/device_peaks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <string>

#include "core/together.h"
#include "harness/spec/data_files.h"

namespace stepmark {
PeakReference device_peaks(Control& control, const std::optional<Cluster>& cluster,
                           const FoundAccelerator& found) {
  PeakReference reference;
  together(control, [&] { reference = reference_peaks(cluster, found, shipped_gpus()); });
  std::set<std::string> kinds;
  const std::string own = reference.source.empty() ? describe(found) : reference.source;
  for (const std::string& kind : control.gather(own)) kinds.insert(kind);
  const std::string different =
      control.broadcast(kinds.size() > 1 ? fmt::format("{}", fmt::join(kinds, " | ")) : "");
  if (different.empty() || !reference.cluster.empty()) return reference;
  return {.unknown = "ranks have different devices: " + different};
}

}  // namespace stepmark
