// SPDX-License-Identifier: Apache-2.0
// A token is a row of logits, which stays in the first-level cache. Counts of choices and the sum
// of the load-balancing loss are added in the order of tokens, whatever the number of threads.
#include "kernels/ops/router.h"

#include <algorithm>
#include <cmath>

#include "kernels/host/number.h"
#include "kernels/host/table.h"

namespace stepmark {
namespace {

using host::store;

// p = softmax of a row of logits.
void probabilities(const float* logits, std::int64_t experts, float* p) {
  float most = logits[0], sum = 0;
  for (std::int64_t e = 1; e < experts; ++e) most = logits[e] > most ? logits[e] : most;
  for (std::int64_t e = 0; e < experts; ++e) {
    p[e] = std::exp(logits[e] - most);
    sum += p[e];
  }
  for (std::int64_t e = 0; e < experts; ++e) p[e] /= sum;
}

// p[chosen[0]] + ...
float chosen_sum(const float* p, const std::int32_t* chosen, std::int64_t top_k) {
  float sum = 0;
  for (std::int64_t k = 0; k < top_k; ++k) sum += p[chosen[k]];
  return sum;
}

// Gradient of one token's logits; returns its part of the loss.
template <class T>
float router_bwd_token(const RouterBwdShape& s, const float* dweights, const float* logits,
                       const std::int32_t* chosen, const float* hits, float* p, float* dp,
                       T* dlogits) {
  probabilities(logits, s.experts, p);
  const auto scale = static_cast<float>(s.aux_scale);
  float aux = 0;
  for (std::int64_t e = 0; e < s.experts; ++e) {
    dp[e] = scale * hits[e];
    aux += dp[e] * p[e];
  }
  const float sum = s.renormalise != 0 ? chosen_sum(p, chosen, s.top_k) : 1.0F;
  float due = 0;
  for (std::int64_t k = 0; k < s.top_k; ++k) due += dweights[k] * p[chosen[k]];
  const float taken = s.renormalise != 0 ? due / sum : 0.0F;
  for (std::int64_t k = 0; k < s.top_k; ++k) dp[chosen[k]] += (dweights[k] - taken) / sum;
  float mean = 0;
  for (std::int64_t e = 0; e < s.experts; ++e) mean += p[e] * dp[e];
  for (std::int64_t e = 0; e < s.experts; ++e) store(dlogits[e], p[e] * (dp[e] - mean));
  return aux;
}

}  // namespace

void host_router_top_k(const OpShape& shape, void* const* operands) {
  const auto s = unpack<RouterTopKShape>(shape);
  const float* logits = host::input<float>(operands, 0);
  auto* chosen = host::output<std::int32_t>(operands, 1);
  host::parallel_each(s.tokens, s.experts * s.top_k, [=](std::int64_t t) {
    const float* row = logits + t * s.experts;
    std::int32_t* to = chosen + t * s.top_k;
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      std::int64_t best = -1;
      for (std::int64_t e = 0; e < s.experts; ++e) {
        const bool better = best < 0 || row[e] > row[best];
        if (better && std::find(to, to + k, e) == to + k) best = e;
      }
      to[k] = static_cast<std::int32_t>(best);
    }
  });
}

void host_router_weights(const OpShape& shape, void* const* operands) {
  const auto s = unpack<RouterWeightsShape>(shape);
  const float* logits = host::input<float>(operands, 0);
  const auto* chosen = host::input<std::int32_t>(operands, 1);
  float *weights = host::output<float>(operands, 2), *hits = host::output<float>(operands, 3);
  host::parallel_ranges<1>(
      s.tokens, s.tokens * s.experts * 8, [=](std::int64_t begin, std::int64_t end) {
        const auto p = host::make_scratch(s.experts);
        for (std::int64_t t = begin; t < end; ++t) {
          const std::int32_t* own = chosen + t * s.top_k;
          probabilities(logits + t * s.experts, s.experts, p.get());
          const float sum = s.renormalise != 0 ? chosen_sum(p.get(), own, s.top_k) : 1.0F;
          for (std::int64_t k = 0; k < s.top_k; ++k) {
            weights[t * s.top_k + k] = p[own[k]] / sum;
          }
        }
      });
  std::fill_n(hits, s.sequences * s.experts, 0.0F);
  for (std::int64_t i = 0; i < s.tokens * s.top_k; ++i) {
    hits[(s.first + i / s.top_k) / s.seq * s.experts + chosen[i]] += 1.0F;
  }
}

void host_router_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<RouterBwdShape>(shape);
  const float* dweights = host::input<float>(operands, 0);
  const float* logits = host::input<float>(operands, 1);
  const auto* chosen = host::input<std::int32_t>(operands, 2);
  const float* hits = host::input<float>(operands, 3);
  float* aux = host::output<float>(operands, 5);
  const auto parts = host::make_scratch(s.tokens);
  float* part = parts.get();
  host::with_type(shape.dtype, [&]<class T>(T) {
    T* dlogits = host::output<T>(operands, 4);
    host::parallel_ranges<1>(
        s.tokens, s.tokens * s.experts * 16, [=](std::int64_t begin, std::int64_t end) {
          const auto scratch = host::make_scratch(2 * s.experts);
          for (std::int64_t t = begin; t < end; ++t) {
            part[t] =
                router_bwd_token(s, dweights + t * s.top_k, logits + t * s.experts,
                                 chosen + t * s.top_k, hits + (s.first + t) / s.seq * s.experts,
                                 scratch.get(), scratch.get() + s.experts, dlogits + t * s.experts);
          }
        });
  });
  // In two levels, so that a long sum stays exact to a few units.
  constexpr std::int64_t kGroup = 256;
  float sum = s.accumulate != 0 ? *aux : 0.0F;
  for (std::int64_t begin = 0; begin < s.tokens; begin += kGroup) {
    float group = 0;
    for (std::int64_t t = begin; t < std::min(s.tokens, begin + kGroup); ++t) group += part[t];
    sum += group;
  }
  *aux = sum;
}

}  // namespace stepmark
