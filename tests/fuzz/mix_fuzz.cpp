// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, a mix is read or refused; what is read can be allocated, and gives every
// workload all of its tokens and no more hours than there are, or a reason.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "results/portfolio/allocation.h"

namespace stepmark {
namespace {

constexpr std::size_t kMost = 4;
constexpr double kSlack = 1e-4;

void allocate(const Mix& mix) {
  PortfolioProblem problem{.mix = mix};
  for (std::size_t p = 0; p < mix.providers.size(); ++p) {
    problem.price_per_gpu_hour.push_back(1 + static_cast<double>(p));
    problem.goodput.push_back(1);
  }
  for (std::size_t w = 0; w < mix.workloads.size(); ++w) {
    problem.rates.emplace_back(mix.providers.size(), PortfolioRate{1e4, 9e3, 1.1e4});
  }
  const Allocation out = cheapest(problem);
  if (!out.why.empty()) return;
  for (const auto& shares : out.share) {
    double sum = 0;
    for (const double share : shares) sum += share;
    if (std::abs(sum - 1) > kSlack) std::abort();
  }
  for (std::size_t p = 0; p < mix.providers.size(); ++p) {
    if (out.paid_gpu_hours[p] > mix.providers[p].gpus * kDaysPerMonth * 24 * (1 + kSlack))
      std::abort();
  }
}

}  // namespace
}  // namespace stepmark

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const stepmark::Mix mix = stepmark::parse_mix(
        std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.yaml");
    if (mix.workloads.size() <= stepmark::kMost && mix.providers.size() <= stepmark::kMost) {
      stepmark::allocate(mix);
    }
  } catch (const stepmark::Error&) {
    // Refusing the input is one of the two right answers.
  }
  return 0;
}
