// SPDX-License-Identifier: Apache-2.0
// The transform's squared magnitudes are the transform of the autocovariances (Wiener 1930,
// Khintchine, Math. Annalen 109, 1934); zeros behind the series keep its end from meeting its
// start. Both agree to rounding (tests/unit/core/stats_autocovariance_test.cpp).
#include "core/stats/autocovariance.h"

#include <bit>
#include <complex>
#include <kissfft/kissfft.hh>

#include "core/stats.h"

namespace stepmark {
namespace {

constexpr std::size_t kDirectLags = 64;  // about as many as cost what the transform does

// Four sums, so that additions need not wait for each other.
double sum_of_products(std::span<const double> x, std::size_t lag) {
  const double* a = x.data();
  const double* b = x.data() + lag;
  const std::size_t count = x.size() - lag;
  double sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (std::size_t k = 0; k < 4; ++k) sums[k] += a[i + k] * b[i + k];
  }
  for (; i < count; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// The factors of a size are used again: series of one journal are often of one length.
const kissfft<double>& transform_of(std::size_t half) {
  thread_local kissfft<double> transform(1, false);
  transform.assign(half, false);
  return transform;
}

std::vector<double> all_by_transform(std::span<const double> x) {
  const std::size_t half = std::bit_ceil(x.size());  // of the padded length
  std::vector<double> padded(2 * half);
  std::copy(x.begin(), x.end(), padded.begin());
  std::vector<std::complex<double>> spectrum(half);
  const auto& transform = transform_of(half);
  transform.transform_real(padded.data(), spectrum.data());
  padded[0] = spectrum[0].real() * spectrum[0].real();
  padded[half] = spectrum[0].imag() * spectrum[0].imag();
  for (std::size_t k = 1; k < half; ++k) {
    padded[k] = padded[2 * half - k] = std::norm(spectrum[k]);
  }
  transform.transform_real(padded.data(), spectrum.data());
  std::vector<double> out;
  out.reserve(x.size());
  for (std::size_t lag = 0; lag < x.size(); ++lag) {
    out.push_back(spectrum[lag].real() / static_cast<double>(2 * half));
  }
  return out;
}

}  // namespace

std::vector<double> deviations_of(std::span<const double> x) {
  const double centre = mean(x);
  std::vector<double> out;
  out.reserve(x.size());
  for (const double value : x) out.push_back(value - centre);
  return out;
}

double Autocovariances::at(std::size_t lag) {
  while (known_.size() <= lag && known_.size() < kDirectLags) {
    known_.push_back(sum_of_products(deviations_, known_.size()));
  }
  if (known_.size() <= lag) {
    auto all = all_by_transform(deviations_);
    std::copy(known_.begin(), known_.end(), all.begin());
    known_ = std::move(all);
  }
  return known_[lag];
}

}  // namespace stepmark
