// SPDX-License-Identifier: Apache-2.0
// A transformer as dims: what a workload is, without saying where or how parallel it runs.
#pragma once

#include <cstdint>
#include <string>

#include "core/yaml.h"

namespace stepmark {

// gpt2: LayerNorm, learned positions, biases, GELU, two-matrix MLP.
// llama: RMSNorm, rotary positions, no biases, SwiGLU with gate and up projections.
enum class ModelFamily : std::uint8_t { gpt2, llama };

struct Model {
  std::string name;
  std::string source;  // where the dims come from
  ModelFamily family = ModelFamily::gpt2;
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t ffn = 0;  // of each expert, where there are any
  // A mixture of experts instead of one MLP in every layer: each token goes to top_k of `experts`,
  // by a router; 0: none. shared_ffn: width of an MLP that all tokens go through besides; 0: none.
  std::int64_t experts = 0, top_k = 0, shared_ffn = 0;
  bool renormalise = true;  // weights of a token's experts add up to 1
  double aux_loss = 0.0;  // coefficient of the load-balancing loss, which is 1 where all are alike
  std::int64_t vocab = 0;
  std::int64_t max_seq = 0;
  bool tied_embeddings = false;
  bool qk_norm = false;  // RMSNorm of every query and key head before rotary positions
  double norm_eps = 1e-5;
  double rope_theta = 10000.0;

  bool operator==(const Model&) const = default;

  [[nodiscard]] bool has_bias() const { return family == ModelFamily::gpt2; }
  [[nodiscard]] std::int64_t q_width() const { return heads * head_dim; }
  [[nodiscard]] std::int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
  // Width of the first MLP GEMM, of one expert where there are any: gate and up together for llama.
  [[nodiscard]] std::int64_t mlp_in_width() const {
    return family == ModelFamily::llama ? 2 * ffn : ffn;
  }
  // Of a layer's MLP with so many experts: their matrices, the router's and the shared one's.
  [[nodiscard]] std::int64_t mlp_matrices(std::int64_t experts_of_token) const;
  [[nodiscard]] std::int64_t layer_parameters() const;
  [[nodiscard]] std::int64_t parameters() const;  // all trained numbers, tied tables once
  // Parameters that take part in a GEMM of a token: look-ups and experts that it does not go to
  // excluded, the output head included. This is N of `model_flops_per_token`.
  [[nodiscard]] std::int64_t matmul_parameters() const;
  // 6 N + 12 L H Q T (PaLM, arXiv 2204.02311 appendix B), forward and backward, attention without
  // causal halving, no recompute.
  [[nodiscard]] double model_flops_per_token(std::int64_t seq) const;
  // The same with attention counted causally: 6 N + 6 L H Q T. A token sees half of the sequence on
  // average, and a causal kernel computes no more.
  [[nodiscard]] double causal_model_flops_per_token(std::int64_t seq) const;
};

// Reads the `model:` map of a workload file.
[[nodiscard]] Model read_model(YamlMap map, const std::string& name);

}  // namespace stepmark
