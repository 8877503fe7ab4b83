// SPDX-License-Identifier: Apache-2.0
// Autocovariances of one series, each computed once. Internal to core/stats.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace stepmark {

// Deviations from the mean of `x`, which they sum to zero about.
[[nodiscard]] std::vector<double> deviations_of(std::span<const double> x);

// Sums of products of deviations so far apart: the first lags as they are asked for, all others by
// one Fourier transform (in n log n steps, where products would take n for every lag).
class Autocovariances {
 public:
  // `deviations` must outlive this.
  explicit Autocovariances(std::span<const double> deviations) : deviations_(deviations) {}
  // At a lag below size(), not divided by anything.
  [[nodiscard]] double at(std::size_t lag);
  [[nodiscard]] std::size_t size() const { return deviations_.size(); }

 private:
  std::span<const double> deviations_;
  std::vector<double> known_;  // of the lags from 0 on
};

}  // namespace stepmark
