// SPDX-License-Identifier: Apache-2.0
// Which layer of the machine probably changed, told by what moved and what did not.
#pragma once

#include <string>
#include <vector>

namespace stepmark {

// How many cases of a kind moved, of how many.
struct Moved {
  int cases = 0, of = 0;
  // Enough of them to speak of the kind: a fault of bandwidth moves large messages alone.
  [[nodiscard]] bool much() const { return cases > 0 && 5 * cases >= of; }
};

struct LayerEvidence {
  Moved device;         // what one device does by itself
  Moved within_host;    // ranks that talk to each other on one host
  Moved across_hosts;   // and over several
  Moved unknown_reach;  // hosts are not known
  Moved whole;          // steps, and all that has several layers in it
};

struct ProbableLayer {
  std::string name;  // kernel, scale-up, scale-out, host, "scale-up or scale-out", unknown
  std::string why;
};
[[nodiscard]] ProbableLayer probable_layer(const LayerEvidence& evidence);

}  // namespace stepmark
