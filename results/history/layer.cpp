// SPDX-License-Identifier: Apache-2.0
// From the inside out: what a device does alone moves nothing but what contains it.
#include "results/history/layer.h"

namespace stepmark {

ProbableLayer probable_layer(const LayerEvidence& e) {
  const bool fabric = e.within_host.much() || e.across_hosts.much() || e.unknown_reach.much();
  if (e.device.much() && fabric) {
    return {"host",
            "kernels and collectives moved together: what they share is clocks, power, the "
            "operating system and what else runs there"};
  }
  if (e.device.much()) {
    const bool seen = e.within_host.of + e.across_hosts.of + e.unknown_reach.of > 0;
    return {"kernel", seen ? "kernels moved and collectives did not"
                           : "kernels moved; the suite has no collective to tell more by"};
  }
  if (e.within_host.much()) {
    return {"scale-up", e.device.of > 0
                            ? "collectives within a host moved and kernels did not"
                            : "collectives within a host moved; the suite has no kernel beside"};
  }
  if (e.across_hosts.much()) {
    return {"scale-out", e.within_host.of > 0
                             ? "collectives across hosts moved and those within a host did not"
                             : "collectives across hosts moved; the suite has none within a host "
                               "to rule out the links there"};
  }
  if (e.unknown_reach.much()) {
    return {"scale-up or scale-out",
            "collectives moved, and the journals do not say which ranks share a host"};
  }
  const bool all_seen =
      e.device.of > 0 && e.within_host.of + e.across_hosts.of + e.unknown_reach.of > 0;
  if (e.whole.much() && all_seen) {
    return {"host",
            "whole steps moved, kernels and collectives alone did not: launches, the "
            "operating system, or how the two share the machine"};
  }
  return {"unknown", all_seen ? "few cases moved, and of no one kind"
                              : "the suite lacks kernels or collectives alone to tell by"};
}

}  // namespace stepmark
