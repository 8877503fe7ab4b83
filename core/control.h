// SPDX-License-Identifier: Apache-2.0
// The control plane between the ranks of a run: small, out of band, never timed. Adaptive decisions
// are made on rank 0 and broadcast, samples are reduced to the maximum over ranks.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace stepmark {

class Control {
 public:
  virtual ~Control() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  // Rank on the own host, and ranks on it: how many share the machine's cores.
  [[nodiscard]] virtual int local_rank() const = 0;
  [[nodiscard]] virtual int local_size() const = 0;
  virtual void barrier() = 0;
  // Element-wise maximum over ranks, the result on every rank.
  virtual void max_in_place(std::span<double> values) = 0;
  // Rank 0's text on every rank.
  [[nodiscard]] virtual std::string broadcast(std::string text) = 0;
  // Every rank's text in rank order on rank 0; empty elsewhere.
  [[nodiscard]] virtual std::vector<std::string> gather(const std::string& text) = 0;
};

// Helpers over ranks; all of them collective.
// The largest of `value` over the ranks.
[[nodiscard]] double max_over_ranks(Control& control, double value);
// True when it is true on every rank.
[[nodiscard]] bool all_ranks(Control& control, bool value);
// Rank 0's value everywhere, bit for bit: adaptive counts.
[[nodiscard]] double value_of_root(Control& control, double value);

// A world of one rank.
[[nodiscard]] std::unique_ptr<Control> make_solo_control();

}  // namespace stepmark
