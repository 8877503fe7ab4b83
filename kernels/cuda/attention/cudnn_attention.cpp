// SPDX-License-Identifier: Apache-2.0
// The graphs of forward and backward pass are spelt as cuDNN's engines expect them, with causal
// masking by index comparison: other graphs of the same meaning find no engine. One plan per shape
// and device, shared by all layers; versions known to compute wrongly are refused.
#include "kernels/cuda/attention/cudnn_attention.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <variant>

#include "kernels/cuda/attention/cudnn_faults.h"
#include "kernels/cuda/attention/cudnn_plan.h"
#include "kernels/ops/attention.h"

namespace stepmark::cuda {
namespace {

using Id = CudnnGraph::Id;
constexpr std::size_t kAlignment = 256;

// The tensors of one problem, as views of the packed operands.
struct Views {
  std::int64_t batch, seq, heads, kv_heads, head_dim;
  float scale;

  template <class S>
  explicit Views(const S& s)
      : batch(s.batch),
        seq(s.seq),
        heads(s.heads),
        kv_heads(s.kv_heads),
        head_dim(s.head_dim),
        scale(static_cast<float>(1.0 / std::sqrt(static_cast<double>(s.head_dim)))) {}

  // (batch, n heads, seq, head_dim) in rows of `width` elements per token.
  [[nodiscard]] CudnnTensor rows(std::int64_t n, std::int64_t width) const {
    return {{batch, n, seq, head_dim}, {seq * width, head_dim, width, 1}, CUDNN_DATA_BFLOAT16};
  }
  [[nodiscard]] std::int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
  [[nodiscard]] CudnnTensor query() const { return rows(heads, qkv_width()); }
  [[nodiscard]] CudnnTensor key() const { return rows(kv_heads, qkv_width()); }
  [[nodiscard]] CudnnTensor out() const { return rows(heads, heads * head_dim); }
  [[nodiscard]] CudnnTensor scores() const {
    return CudnnTensor::packed({batch, heads, seq, seq}, CUDNN_DATA_FLOAT);
  }
  // A number per query: lse, and what is reduced over keys.
  [[nodiscard]] CudnnTensor statistics() const {
    return CudnnTensor::packed({batch, heads, seq, 1}, CUDNN_DATA_FLOAT);
  }
  // Per query head, before the heads of a group are added up.
  [[nodiscard]] CudnnTensor all_heads(cudnnDataType_t type) const {
    return CudnnTensor::packed({batch, heads, seq, head_dim}, type);
  }
  // Where the queries, keys and values of a packed bf16 array begin.
  struct Parts {
    void *query, *key, *value;
  };
  [[nodiscard]] Parts parts(void* qkv) const {
    auto* begin = static_cast<std::byte*>(qkv);
    const std::int64_t head_bytes = head_dim * 2;
    return {begin, begin + heads * head_bytes, begin + (heads + kv_heads) * head_bytes};
  }
};

// Scores of keys behind the query become -infinity.
Id mask(CudnnGraph& graph, Id scores) {
  const Id row = graph.index(scores, 2), column = graph.index(scores, 3);
  const Id visible = graph.pointwise(CUDNN_POINTWISE_CMP_GE, {row, column}, CUDNN_DATA_BOOLEAN,
                                     CUDNN_DATA_BOOLEAN);
  const Id hidden = graph.scalar(-std::numeric_limits<float>::infinity());
  return graph.pointwise(CUDNN_POINTWISE_BINARY_SELECT, {scores, hidden, visible});
}

Id scaled_scores(CudnnGraph& graph, const Views& v, Id query, Id key_transposed) {
  const Id product = graph.matmul(query, key_transposed, v.scores());
  return graph.pointwise(CUDNN_POINTWISE_MUL, {product, graph.scalar(v.scale)});
}

std::string engine_of(const CudnnPlan& plan) {
  const std::string name = "cudnn " + cudnn().version;
  return plan.engine() ? fmt::format("{} engine={}", name, *plan.engine()) : name;
}

// What ops of one shape share: compiled once, run at the addresses of each.
struct ForwardPlan {
  std::shared_ptr<const CudnnPlan> plan;
  Id query, key, value, out, lse;
};
struct BackwardPlan {
  std::shared_ptr<const CudnnPlan> plan;
  Id dout, out, query, key, value, lse, dquery, dkey, dvalue;
  Id delta, dquery_sum;  // in scratch: rowsum(dout * out), and dQ in fp32 while it is added up
};

ForwardPlan make_plan(const AttentionFwdShape& s, CudnnHandle& handle) {
  const Views v(s);
  CudnnGraph g;
  ForwardPlan p{.plan = {},
                .query = g.real(v.query()),
                .key = g.real(v.key().transposed()),
                .value = g.real(v.key()),
                .out = g.real(v.out()),
                .lse = g.real(v.statistics())};
  const Id scores = mask(g, scaled_scores(g, v, p.query, p.key));
  const Id largest = g.reduce(CUDNN_REDUCE_TENSOR_MAX, scores, v.statistics());
  const Id weights =
      g.pointwise(CUDNN_POINTWISE_EXP, {g.pointwise(CUDNN_POINTWISE_SUB, {scores, largest})});
  const Id total = g.reduce(CUDNN_REDUCE_TENSOR_ADD, weights, v.statistics());
  g.pointwise_into(CUDNN_POINTWISE_ADD, {largest, g.pointwise(CUDNN_POINTWISE_LOG, {total})},
                   p.lse);
  const Id softmax =
      g.pointwise(CUDNN_POINTWISE_DIV, {weights, total}, CUDNN_DATA_BFLOAT16, CUDNN_DATA_FLOAT);
  g.matmul_into(softmax, p.value, p.out);
  p.plan = std::make_shared<const CudnnPlan>(std::move(g), handle);
  return p;
}

// sum over queries of weights^T rows, into dK or dV; the heads of a group are added up.
void add_gradient(CudnnGraph& g, const Views& v, Id weights, Id rows, Id gradient) {
  const Id transposed = g.transpose(weights, CUDNN_DATA_BFLOAT16);
  if (v.heads == v.kv_heads) {
    g.matmul_into(transposed, rows, gradient);
    return;
  }
  const Id heads = g.matmul(transposed, rows, v.all_heads(CUDNN_DATA_BFLOAT16));
  g.reduce_into(CUDNN_REDUCE_TENSOR_ADD, heads, gradient);
}

BackwardPlan make_plan(const AttentionBwdShape& s, CudnnHandle& handle) {
  const Views v(s);
  CudnnGraph g;
  BackwardPlan p{.plan = {},
                 .dout = g.real(v.out()),
                 .out = g.real(v.out()),
                 .query = g.real(v.query()),
                 .key = g.real(v.key().transposed()),
                 .value = g.real(v.key().transposed()),
                 .lse = g.real(v.statistics()),
                 .dquery = g.real(v.query()),
                 .dkey = g.real(v.key()),
                 .dvalue = g.real(v.key()),
                 .delta = g.real(v.statistics()),
                 .dquery_sum = g.real(v.all_heads(CUDNN_DATA_FLOAT))};
  const Id row_sum = g.reduce(CUDNN_REDUCE_TENSOR_ADD,
                              g.pointwise(CUDNN_POINTWISE_MUL, {p.dout, p.out}), v.statistics());
  g.pointwise_into(CUDNN_POINTWISE_MUL, {row_sum, g.scalar(1.0F)}, p.delta);

  const Id shifted = g.pointwise(CUDNN_POINTWISE_SUB, {scaled_scores(g, v, p.query, p.key), p.lse});
  const Id weights = g.pointwise(CUDNN_POINTWISE_EXP, {mask(g, shifted)});
  add_gradient(g, v, weights, p.dout, p.dvalue);

  const Id dweights =
      g.pointwise(CUDNN_POINTWISE_SUB, {g.matmul(p.dout, p.value, v.scores()), p.delta});
  const Id dscores =
      g.pointwise(CUDNN_POINTWISE_MUL,
                  {g.pointwise(CUDNN_POINTWISE_MUL, {dweights, weights}), g.scalar(v.scale)});
  add_gradient(g, v, dscores, p.query, p.dkey);
  g.matmul_into(dscores, g.transpose(p.key, CUDNN_DATA_FLOAT), p.dquery_sum);
  g.pointwise_into(CUDNN_POINTWISE_IDENTITY, {p.dquery_sum}, p.dquery);
  p.plan = std::make_shared<const CudnnPlan>(std::move(g), handle);
  return p;
}

std::atomic<int> plans_made = 0;

// The plan of a shape on a device, or why there is none, found once in a process: all layers of a
// model ask for the same. Never destroyed: the library may be gone when the process ends.
template <class S>
auto plan_of(const S& s, CudnnHandle& handle, int device) {
  using Plan = decltype(make_plan(s, handle));
  struct Known {
    std::mutex mutex;
    std::map<std::pair<int, std::string>, std::variant<Plan, CudnnRefusal>> by_shape;
  };
  static auto& known = *new Known;
  const std::pair key(device, to_text(pack(s, DType::bf16)));
  const std::lock_guard lock(known.mutex);
  auto found = known.by_shape.find(key);
  if (found == known.by_shape.end()) {
    try {
      found = known.by_shape.emplace(key, make_plan(s, handle)).first;
      ++plans_made;
    } catch (const CudnnRefusal& refusal) {
      found = known.by_shape.emplace(key, refusal).first;
    }
  }
  if (const auto* refusal = std::get_if<CudnnRefusal>(&found->second)) throw CudnnRefusal(*refusal);
  return std::get<Plan>(found->second);
}

CudnnAttention::Prepared prepare_fwd(const AttentionFwdShape& s, void* const* operands,
                                     KernelContext& context) {
  const ForwardPlan p = plan_of(s, cudnn_handle(context.device()), context.device());
  const Views::Parts qkv = Views(s).parts(operands[0]);
  const std::array addresses{
      CudnnPlan::Address{p.query, qkv.query}, CudnnPlan::Address{p.key, qkv.key},
      CudnnPlan::Address{p.value, qkv.value}, CudnnPlan::Address{p.out, operands[1]},
      CudnnPlan::Address{p.lse, operands[2]}};
  context.scratch()->reserve(p.plan->workspace_bytes());
  return {[plan = p.plan, addresses, scratch = context.scratch()](cudaStream_t stream) {
            plan->run(stream, scratch->data(), addresses);
          },
          engine_of(*p.plan)};
}

CudnnAttention::Prepared prepare_bwd(const AttentionBwdShape& s, void* const* operands,
                                     KernelContext& context) {
  const BackwardPlan p = plan_of(s, cudnn_handle(context.device()), context.device());
  const Views v(s);
  const Views::Parts qkv = v.parts(operands[1]), dqkv = v.parts(operands[4]);
  const auto aligned = [](std::size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  };
  const std::size_t delta_at = aligned(p.plan->workspace_bytes());
  const auto rows = static_cast<std::size_t>(v.batch * v.heads * v.seq);
  const std::size_t dquery_at = delta_at + aligned(rows * sizeof(float));
  context.scratch()->reserve(dquery_at +
                             rows * static_cast<std::size_t>(v.head_dim) * sizeof(float));
  const std::array known{
      CudnnPlan::Address{p.dout, operands[0]},  CudnnPlan::Address{p.out, operands[2]},
      CudnnPlan::Address{p.query, qkv.query},   CudnnPlan::Address{p.key, qkv.key},
      CudnnPlan::Address{p.value, qkv.value},   CudnnPlan::Address{p.lse, operands[3]},
      CudnnPlan::Address{p.dquery, dqkv.query}, CudnnPlan::Address{p.dkey, dqkv.key},
      CudnnPlan::Address{p.dvalue, dqkv.value}, CudnnPlan::Address{p.delta, nullptr},
      CudnnPlan::Address{p.dquery_sum, nullptr}};
  return {[=, plan = p.plan, scratch = context.scratch()](cudaStream_t stream) {
            auto* begin = static_cast<std::byte*>(scratch->data());
            auto addresses = known;
            addresses[addresses.size() - 2].address = begin + delta_at;
            addresses[addresses.size() - 1].address = begin + dquery_at;
            plan->run(stream, begin, addresses);
          },
          engine_of(*p.plan) + " sums=unordered"};
}

void refuse_faulty_backward(std::int64_t keys) {
  if (!cudnn_backward_is_faulty(cudnn().version_number, keys)) return;
  throw CudnnRefusal(fmt::format(
      "cuDNN {} is known to compute the backward pass wrongly where the sequence ({}) is no "
      "multiple of {}; 9.15.1 and later do not",
      cudnn().version, keys, kCudnnBackwardKeys));
}

}  // namespace

bool CudnnAttention::takes(const OpShape& shape, void* const* operands) {
  const std::int64_t head_dim = dim_of(shape, "head_dim");
  if (shape.dtype != DType::bf16 || head_dim % 8 != 0 || head_dim < 32 || head_dim > 256) {
    return false;
  }
  for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
    if (reinterpret_cast<std::uintptr_t>(operands[i]) % 16 != 0) return false;
  }
  return dim_of(shape, "batch") > 0 && dim_of(shape, "seq") > 1;
}

std::optional<CudnnAttention::Prepared> CudnnAttention::try_prepare(const OpShape& shape,
                                                                    void* const* operands,
                                                                    KernelContext& context,
                                                                    std::string* reason) {
  try {
    if (shape.id == OpId::attention_fwd) {
      return prepare_fwd(unpack<AttentionFwdShape>(shape), operands, context);
    }
    refuse_faulty_backward(dim_of(shape, "seq"));
    return prepare_bwd(unpack<AttentionBwdShape>(shape), operands, context);
  } catch (const CudnnRefusal& refusal) {
    *reason = refusal.what();
    return std::nullopt;
  }
}

int CudnnAttention::plans() { return plans_made; }

}  // namespace stepmark::cuda
