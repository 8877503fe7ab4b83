// SPDX-License-Identifier: Apache-2.0
// Circular block bootstrap (Politis & Romano 1992) of the median: whole blocks of neighbours are
// drawn, so that what neighbours share stays in. A replicate is never written out: samples are
// known by their rank, drawn ranks are counted, and the counts are walked to the middle.
#include "core/stats/block_bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/rng.h"
#include "core/stats.h"

namespace stepmark {
namespace {

// 1 for independent samples, else about twice as long as dependence reaches.
std::size_t block_length(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  const double inefficiency = n / effective_sample_size_of_median(x);
  const double length = 1 + 2 * (inefficiency - 1);
  return static_cast<std::size_t>(std::clamp(length, 1.0, std::max(1.0, n / 4)));
}

// 32-bit words of one Philox stream in order.
class Words {
 public:
  Words(std::uint64_t seed, std::uint64_t stream) : random_(seed, stream) {}
  std::size_t below(std::size_t bound) {
    if (next_ == words_.size()) {
      words_ = random_.block(block_++);
      next_ = 0;
    }
    return static_cast<std::size_t>(std::uint64_t{words_[next_++]} * bound >> 32);
  }

 private:
  Philox random_;
  std::uint64_t block_ = 0;
  std::array<std::uint32_t, 4> words_{};
  std::size_t next_ = 4;
};

// Median of the multiset in which sorted[i] occurs counts[i] times, `total` in all.
double median_of_counts(std::span<const double> sorted, std::span<const std::uint32_t> counts,
                        std::size_t total) {
  const std::size_t lower = (total - 1) / 2;
  const std::size_t upper = total / 2;
  std::size_t seen = 0;
  std::size_t i = 0;
  while (seen + counts[i] <= lower) seen += counts[i++];
  const double low = sorted[i];
  while (seen + counts[i] <= upper) seen += counts[i++];
  return (low + sorted[i]) / 2;
}

}  // namespace

double log_median_variance(std::span<const double> x, std::size_t replicates, std::uint64_t seed,
                           std::uint64_t stream) {
  const std::size_t n = x.size();
  if (n < 2 || replicates < 2) return 0;
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<double> sorted(n);
  std::vector<std::uint32_t> rank(n);
  for (std::size_t i = 0; i < n; ++i) {
    sorted[i] = x[order[i]];
    rank[order[i]] = static_cast<std::uint32_t>(i);
  }

  const std::size_t length = block_length(x);
  Words words(seed, stream);
  std::vector<std::uint32_t> counts(n);
  std::vector<double> medians;
  medians.reserve(replicates);
  for (std::size_t replicate = 0; replicate < replicates; ++replicate) {
    std::fill(counts.begin(), counts.end(), 0);
    for (std::size_t drawn = 0; drawn < n;) {
      std::size_t at = words.below(n);
      for (std::size_t i = 0; i < length && drawn < n; ++i, ++drawn) {
        ++counts[rank[at]];
        if (++at == n) at = 0;
      }
    }
    medians.push_back(std::log(median_of_counts(sorted, counts, n)));
  }
  const double deviation = standard_deviation(medians);
  return deviation * deviation;
}

}  // namespace stepmark
