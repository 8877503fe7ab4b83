// SPDX-License-Identifier: Apache-2.0
// Parameters and FLOPs by formula (6 per parameter and token, attention in full or causally:
// docs/measuring.md), and a strict reader that refuses dims whose products would not be exact in 64
// bits.
#include "harness/spec/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/spec/forms.h"
#include "harness/spec/limits.h"

namespace stepmark {
namespace {

// L H Q T: multiply-adds of one token's scores against the whole sequence.
double attention_products(const Model& model, std::int64_t seq) {
  return static_cast<double>(model.layers) * static_cast<double>(model.q_width()) *
         static_cast<double>(seq);
}

}  // namespace

std::int64_t Model::mlp_matrices(std::int64_t experts_of_token) const {
  const std::int64_t one = hidden * (mlp_in_width() + ffn);
  if (experts == 0) return one;
  return experts_of_token * one + hidden * experts + mlp_in_width() / ffn * hidden * shared_ffn +
         shared_ffn * hidden;
}

std::int64_t Model::layer_parameters() const {
  const std::int64_t matrices = hidden * qkv_width() + q_width() * hidden + mlp_matrices(experts);
  const std::int64_t norms = (has_bias() ? 4 : 2) * hidden + (qk_norm ? 2 * head_dim : 0);
  const std::int64_t biases = has_bias() ? qkv_width() + hidden + mlp_in_width() + hidden : 0;
  return matrices + norms + biases;
}

std::int64_t Model::parameters() const {
  const std::int64_t tables = vocab * hidden * (tied_embeddings ? 1 : 2);
  const std::int64_t positions = family == ModelFamily::gpt2 ? max_seq * hidden : 0;
  const std::int64_t final_norm = has_bias() ? 2 * hidden : hidden;
  return layers * layer_parameters() + tables + positions + final_norm;
}

std::int64_t Model::matmul_parameters() const {
  const std::int64_t per_layer = hidden * qkv_width() + q_width() * hidden + mlp_matrices(top_k);
  return layers * per_layer + vocab * hidden;
}

double Model::model_flops_per_token(std::int64_t seq) const {
  return 6.0 * static_cast<double>(matmul_parameters()) + 12.0 * attention_products(*this, seq);
}

double Model::causal_model_flops_per_token(std::int64_t seq) const {
  return 6.0 * static_cast<double>(matmul_parameters()) + 6.0 * attention_products(*this, seq);
}

namespace {

constexpr std::int64_t kMaxDim = std::int64_t{1} << 20, kMaxExperts = 4096;

// parameters() and products with token counts must stay exact in 64 bits.
bool countable(const Model& m) {
  const double widest = std::max(
      {static_cast<double>(m.heads + 2 * m.kv_heads) * static_cast<double>(m.head_dim),
       2.0 * static_cast<double>(m.ffn) * static_cast<double>(std::max<std::int64_t>(1, m.experts)),
       2.0 * static_cast<double>(m.shared_ffn), static_cast<double>(m.vocab)});
  return widest < 0x1p26 &&
         widest * 8.0 * static_cast<double>(m.hidden) * static_cast<double>(m.layers + 1) < 0x1p56;
}

void read_experts(YamlMap& map, Model& model) {
  model.experts = map.optional_int("experts", 0, {.min = 0, .max = kMaxExperts});
  if (model.experts == 0) {
    for (const char* key : {"top_k", "shared_ffn", "renormalise", "aux_loss"}) {
      if (map.has(key)) map.fail(key, fmt::format("{} is of a model with experts", key));
    }
    return;
  }
  if (model.family != ModelFamily::llama) {
    map.fail("experts", "experts are gated MLPs without biases (family llama)");
  }
  model.top_k = map.required_int("top_k", {.min = 1, .max = model.experts});
  model.shared_ffn = map.optional_int("shared_ffn", 0, {.min = 0, .max = kMaxDim});
  model.renormalise = map.optional_bool("renormalise", true);
  model.aux_loss = map.optional_double("aux_loss", 0.0, {.min = 0.0, .max = 1e3});
}

}  // namespace

Model read_model(YamlMap map, const std::string& name) {
  static constexpr std::array<std::string_view, 2> kFamilies{"gpt2", "llama"};
  Model model;
  model.name = name;
  model.family =
      map.required_choice("family", kFamilies) == "llama" ? ModelFamily::llama : ModelFamily::gpt2;
  model.layers = map.required_int("layers", {.min = 1, .max = kMaxLayers});
  model.hidden = map.required_int("hidden", {.min = 1, .max = kMaxDim});
  model.heads = map.required_int("heads", {.min = 1, .max = kMaxDim});
  model.kv_heads = map.optional_int("kv_heads", model.heads, {.min = 1, .max = kMaxDim});
  if (!map.has("head_dim") && model.hidden % model.heads != 0) {
    map.fail("heads", "heads must divide hidden, or head_dim must be given");
  }
  model.head_dim =
      map.optional_int("head_dim", model.hidden / model.heads, {.min = 2, .max = kMaxDim});
  model.ffn = map.required_int("ffn", {.min = 1, .max = kMaxDim});
  model.vocab = map.required_int("vocab", {.min = 2, .max = std::int64_t{1} << 26});
  model.max_seq = map.required_int("max_seq", {.min = 1, .max = kMaxSequence});
  model.tied_embeddings = map.optional_bool("tied_embeddings", model.family == ModelFamily::gpt2);
  model.qk_norm = map.optional_bool("qk_norm", false);
  model.norm_eps = map.optional_double("norm_eps", 1e-5, {.min = 0.0, .max = 1.0});
  model.rope_theta = map.optional_double("rope_theta", 10000.0, {.min = 1.0, .max = 1e12});
  if (model.heads % model.kv_heads != 0) {
    map.fail("kv_heads", "kv_heads must divide heads");
  }
  if (model.family == ModelFamily::llama && model.head_dim % 2 != 0) {
    map.fail("head_dim", "rotary positions need an even head_dim");
  }
  if (model.family != ModelFamily::llama && model.qk_norm) {
    map.fail("qk_norm", "qk_norm is of models with rotary positions (family llama)");
  }
  read_experts(map, model);
  if (!countable(model)) map.fail("layers", "the model is too large to be counted");
  refuse_forms_not_built(map);
  map.finish();
  return model;
}

}  // namespace stepmark
