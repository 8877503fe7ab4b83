// SPDX-License-Identifier: Apache-2.0
// Facts and double references of the router. A backward pass gets choices as a router makes them,
// distinct for each token, and counts of whole sequences.
#include "kernels/ops/router.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

void top_k_reference(const RouterTopKShape& s, Operands x) {
  std::vector<std::int64_t> order(s.experts);
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const auto logits = x[0].subspan(t * s.experts, s.experts);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return logits[a] > logits[b]; });
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      x[1][t * s.top_k + k] = static_cast<double>(order[k]);
    }
  }
}

// Probabilities of all experts for one token.
std::vector<double> probabilities(std::span<const double> logits) {
  std::vector<double> p(logits.begin(), logits.end());
  const double most = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& value : p) sum += value = std::exp(value - most);
  for (double& value : p) value /= sum;
  return p;
}

template <class S>
std::int64_t sequence_of(const S& s, std::int64_t token) {
  return (s.first + token) / s.seq;
}

void weights_reference(const RouterWeightsShape& s, Operands x) {
  std::ranges::fill(x[3], 0.0);
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const auto p = probabilities(x[0].subspan(t * s.experts, s.experts));
    const auto chosen = x[1].subspan(t * s.top_k, s.top_k);
    double sum = 0;
    for (const double e : chosen) sum += p[static_cast<std::size_t>(e)];
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      const auto e = static_cast<std::int64_t>(chosen[k]);
      x[2][t * s.top_k + k] = s.renormalise != 0 ? p[e] / sum : p[e];
      x[3][sequence_of(s, t) * s.experts + e] += 1;
    }
  }
}

void router_bwd_reference(const RouterBwdShape& s, Operands x) {
  double aux = 0;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const auto p = probabilities(x[1].subspan(t * s.experts, s.experts));
    const auto chosen = x[2].subspan(t * s.top_k, s.top_k);
    const auto hits = x[3].subspan(sequence_of(s, t) * s.experts, s.experts);
    std::vector<double> dp(s.experts);
    for (std::int64_t e = 0; e < s.experts; ++e) {
      dp[e] = s.aux_scale * hits[e];
      aux += dp[e] * p[e];
    }
    double sum = 0, due = 0;  // of the chosen ones, and their weights' gradients
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      const double chosen_p = p[static_cast<std::size_t>(chosen[k])];
      sum += chosen_p;
      due += x[0][t * s.top_k + k] * chosen_p;
    }
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      const double d = x[0][t * s.top_k + k];
      dp[static_cast<std::size_t>(chosen[k])] += s.renormalise != 0 ? (d - due / sum) / sum : d;
    }
    double mean = 0;
    for (std::int64_t e = 0; e < s.experts; ++e) mean += p[e] * dp[e];
    for (std::int64_t e = 0; e < s.experts; ++e) x[4][t * s.experts + e] = p[e] * (dp[e] - mean);
  }
  x[5][0] = s.accumulate != 0 ? x[5][0] + aux : aux;
}

template <class S>
constexpr auto logits_of = of_dims<&S::tokens, &S::experts>;
template <class S>
constexpr auto choices_of = of_dims<&S::tokens, &S::top_k>;
template <class S>
constexpr auto hits_of = of_dims<&S::sequences, &S::experts>;

// Experts that follow each other from a drawn one on, for every token; hits of a whole router.
template <class S>
void prepare_choices(const S& s, std::span<double> chosen) {
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const double begin = index_from_normal(chosen[t * s.top_k], s.experts);
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      chosen[t * s.top_k + k] =
          static_cast<double>((static_cast<std::int64_t>(begin) + 3 * k * k + k) % s.experts);
    }
    // Distinct, whatever the drawn ones are.
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      double& own = chosen[t * s.top_k + k];
      const auto before = chosen.subspan(t * s.top_k, k);
      while (std::find(before.begin(), before.end(), own) != before.end()) {
        own = static_cast<double>((static_cast<std::int64_t>(own) + 1) % s.experts);
      }
    }
  }
}

template <class S>
void validate_choices(std::string_view op, const S& s) {
  require_at_least(op, "experts", s.experts, 1);
  require_at_least(op, "top_k", s.top_k, 1);
  STEPMARK_REQUIRE(s.top_k <= s.experts, "op {}: top_k={} is more than experts={}", op, s.top_k,
                   s.experts);
}
template <class S>
void validate_sequences(std::string_view op, const S& s) {
  validate_choices(op, s);
  require_at_least(op, "seq", s.seq, 1);
  require_flag(op, "renormalise", s.renormalise);
  STEPMARK_REQUIRE(
      s.sequences < (std::int64_t{1} << 31) / s.seq && s.first + s.tokens <= s.sequences * s.seq,
      "op {}: tokens={} from first={} on are more than sequences={} of seq={}", op, s.tokens,
      s.first, s.sequences, s.seq);
}
template <class S, int kPerLogit>
double flops(const OpShape& shape) {
  return kPerLogit * static_cast<double>(logits_of<S>(shape));
}

}  // namespace

const OpInfo& op_info_router_top_k() {
  using S = RouterTopKShape;
  static const OpInfo info = described<S>(
      {.formula = "chosen[t] = the top_k experts with the largest logits[t], the largest first",
       .source = "Shazeer et al., arXiv 1701.06538, section 2.1",
       .operands = {reads("logits", logits_of<S>, DTypeRule::f32),
                    writes("chosen", choices_of<S>, DTypeRule::i32)},
       .flops = flops<S, 1>,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { top_k_reference(s, x); }),
       .test_shapes = shapes<S>({{.tokens = 1, .experts = 1, .top_k = 1},
                                 {.tokens = 67, .experts = 8, .top_k = 2},
                                 {.tokens = 33, .experts = 130, .top_k = 8}}),
       .bench_shapes = shapes<S>({{.tokens = 8192, .experts = 8, .top_k = 2},
                                  {.tokens = 8192, .experts = 128, .top_k = 8}}),
       .validate = on<S>([](const S& s) { validate_choices("router_top_k", s); })});
  return info;
}

const OpInfo& op_info_router_weights() {
  using S = RouterWeightsShape;
  static const OpInfo info = described<S>(
      {.formula = "P = softmax(logits); weights[t,k] = P[t,chosen[t,k]] [/ their sum]; hits[b,e] = "
                  "tokens of sequence b that chose e",
       .source = "Jiang et al., arXiv 2401.04088, section 2.1; Fedus et al., arXiv 2101.03961, "
                 "equation 5",
       .operands = {reads("logits", logits_of<S>, DTypeRule::f32),
                    reads("chosen", choices_of<S>, DTypeRule::i32),
                    writes("weights", choices_of<S>, DTypeRule::f32),
                    writes("hits", hits_of<S>, DTypeRule::f32)},
       .flops = flops<S, 4>,
       .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 32); },
       .reference = on_operands<S>([](const S& s, Operands x) { weights_reference(s, x); }),
       .test_shapes =
           shapes<S>({{.tokens = 1, .experts = 1, .top_k = 1, .sequences = 1, .seq = 1},
                      {.tokens = 60,
                       .experts = 8,
                       .top_k = 2,
                       .sequences = 4,
                       .seq = 24,
                       .first = 30,
                       .renormalise = 1},
                      {.tokens = 36, .experts = 130, .top_k = 8, .sequences = 2, .seq = 18}}),
       .bench_shapes = shapes<S>({{.tokens = 8192,
                                   .experts = 8,
                                   .top_k = 2,
                                   .sequences = 2,
                                   .seq = 4096,
                                   .renormalise = 1},
                                  {.tokens = 8192,
                                   .experts = 128,
                                   .top_k = 8,
                                   .sequences = 2,
                                   .seq = 4096,
                                   .renormalise = 1}}),
       .validate = on<S>([](const S& s) { validate_sequences("router_weights", s); }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_choices(s, x[1]); })});
  return info;
}

const OpInfo& op_info_router_bwd() {
  using S = RouterBwdShape;
  static const OpInfo info = described<S>(
      {.formula =
           "dlogits = P (dP - sum(P dP)), dP = aux_scale hits + gradient of the weights; aux "
           "[+]= aux_scale sum hits P",
       .source = "derivative of router_weights; Fedus et al., arXiv 2101.03961, equation 4, by "
                 "sequence as DeepSeek-V3, arXiv 2412.19437, equation 17",
       .operands = {reads("dweights", choices_of<S>, DTypeRule::f32),
                    reads("logits", logits_of<S>, DTypeRule::f32),
                    reads("chosen", choices_of<S>, DTypeRule::i32),
                    reads("hits", hits_of<S>, DTypeRule::f32), writes("dlogits", logits_of<S>),
                    accumulates("aux", one, DTypeRule::f32)},
       .flops = flops<S, 10>,
       .tolerance =
           [](const OpShape& s) { return sum_tolerance(s.dtype, logits_of<RouterBwdShape>(s)); },
       .reference = on_operands<S>([](const S& s, Operands x) { router_bwd_reference(s, x); }),
       .test_shapes = shapes<S>(
           {{.tokens = 1, .experts = 2, .top_k = 1, .sequences = 1, .seq = 1, .aux_scale = 0.5},
            {.tokens = 60,
             .experts = 8,
             .top_k = 2,
             .sequences = 4,
             .seq = 24,
             .first = 30,
             .renormalise = 1,
             .accumulate = 1,
             .aux_scale = 0.02},
            {.tokens = 36,
             .experts = 130,
             .top_k = 8,
             .sequences = 2,
             .seq = 18,
             .aux_scale = 0.1}}),
       .bench_shapes = shapes<S>({{.tokens = 8192,
                                   .experts = 8,
                                   .top_k = 2,
                                   .sequences = 2,
                                   .seq = 4096,
                                   .renormalise = 1,
                                   .aux_scale = 1e-9},
                                  {.tokens = 8192,
                                   .experts = 128,
                                   .top_k = 8,
                                   .sequences = 2,
                                   .seq = 4096,
                                   .renormalise = 1,
                                   .aux_scale = 1e-9}}),
       .validate = on<S>([](const S& s) {
         validate_sequences("router_bwd", s);
         require_flag("router_bwd", "accumulate", s.accumulate);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) {
         prepare_choices(s, x[2]);
         for (double& count : x[3]) count = index_from_normal(count, s.seq + 1);
       })});
  return info;
}

}  // namespace stepmark
