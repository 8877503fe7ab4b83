// SPDX-License-Identifier: Apache-2.0
// Rows of a layer on their way between ranks and experts. Internal to harness/program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stepmark {

// What experts of this rank get, and what it sends them, in rows of hidden elements.
struct ExpertRows {
  std::int64_t slots = 0, rows = 0;  // sent, and received
  std::int64_t capacity = 0;         // of each rank's block of either; 0: as many as there are
  std::int64_t expected = 0;         // of `rows`, filled on average
  std::vector<std::int64_t> send, receive;  // by rank of the group
  // Of `rows`, by expert of this rank; empty where only the device will know.
  std::vector<std::int64_t> of_expert;
};

// Of the label of a layer, "layer3.".
[[nodiscard]] inline std::int64_t layer_number(const std::string& layer) {
  return std::stoll(layer.substr(5));
}

}  // namespace stepmark
