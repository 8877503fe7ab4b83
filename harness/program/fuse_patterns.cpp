// SPDX-License-Identifier: Apache-2.0
// A function per pattern turns two shapes into the fused one and maps the operands. Operands that
// may share memory one after the other need not be apart, as the fused op has both at a time: such
// pairs stay unfused.
#include "harness/program/fuse_patterns.h"

#include "kernels/ops/activation.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/norm.h"

namespace stepmark {
namespace {

using Slices = std::vector<BufferSlice>;

bool same(const BufferSlice& a, const BufferSlice& b) { return a.buffer >= 0 && a == b; }

std::optional<Fusion> gemm_with_gelu(const Op& gemm, const Op& gelu) {
  const auto g = unpack<GemmShape>(*gemm.kernel);
  const Slices &in = gemm.operands, &out = gelu.operands;
  if (g.accumulate != 0 || g.out_f32 != 0 || !same(in[3], out[0])) return std::nullopt;
  const GemmGeluShape shape{
      .m = g.m, .n = g.n, .k = g.k, .trans_a = g.trans_a, .trans_b = g.trans_b, .bias = g.bias};
  return Fusion{.shape = pack(shape, gemm.kernel->dtype),
                .operands = {in[0], in[1], in[2], in[3], out[1]},
                .dropped = {}};
}

std::optional<Fusion> gemm_with_gelu_slope(const Op& gemm, const Op& gelu) {
  const auto g = unpack<GemmShape>(*gemm.kernel);
  const Slices &in = gemm.operands, &out = gelu.operands;
  const bool plain = g.bias == 0 && g.accumulate == 0 && g.out_f32 == 0;
  if (!plain || !same(in[3], out[0]) || overlap(in[3], out[1])) return std::nullopt;
  const GemmDgeluShape shape{
      .m = g.m, .n = g.n, .k = g.k, .trans_a = g.trans_a, .trans_b = g.trans_b};
  return Fusion{.shape = pack(shape, gemm.kernel->dtype),
                .operands = {in[0], in[1], out[1], out[2]},
                .dropped = in[3]};
}

std::optional<Fusion> residual_with_rmsnorm(const Op& residual, const Op& norm) {
  const auto r = unpack<ResidualShape>(*residual.kernel);
  const auto s = unpack<RmsNormFwdShape>(*norm.kernel);
  const Slices &in = residual.operands, &out = norm.operands;
  if (!same(in[3], out[0]) || r.rows != s.rows || r.cols != s.cols) return std::nullopt;
  const ResidualRmsNormFwdShape shape{.rows = r.rows, .cols = r.cols, .bias = r.bias, .eps = s.eps};
  return Fusion{.shape = pack(shape, norm.kernel->dtype),
                .operands = {in[0], in[1], in[2], out[1], in[3], out[2], out[3]},
                .dropped = {}};
}

std::optional<Fusion> residual_with_layernorm(const Op& residual, const Op& norm) {
  const auto r = unpack<ResidualShape>(*residual.kernel);
  const auto s = unpack<LayerNormFwdShape>(*norm.kernel);
  const Slices &in = residual.operands, &out = norm.operands;
  if (!same(in[3], out[0]) || r.rows != s.rows || r.cols != s.cols) return std::nullopt;
  const ResidualLayerNormFwdShape shape{
      .rows = r.rows, .cols = r.cols, .bias = r.bias, .eps = s.eps};
  return Fusion{.shape = pack(shape, norm.kernel->dtype),
                .operands = {in[0], in[1], in[2], out[1], out[2], in[3], out[3], out[4], out[5]},
                .dropped = {}};
}

std::optional<Fusion> weight_with_bias_gradient(const Op& gemm, const Op& sums) {
  const auto g = unpack<GemmShape>(*gemm.kernel);
  const auto s = unpack<BiasGradShape>(*sums.kernel);
  const Slices &in = gemm.operands, &out = sums.operands;
  const bool gradient = g.trans_a != 0 && g.trans_b == 0 && g.bias == 0 && g.out_f32 != 0;
  if (!gradient || g.accumulate != s.accumulate || !same(in[0], out[0]) || g.k != s.m ||
      g.m != s.n) {
    return std::nullopt;
  }
  const GemmBiasGradShape shape{.m = g.m, .n = g.n, .k = g.k, .accumulate = g.accumulate};
  return Fusion{.shape = pack(shape, gemm.kernel->dtype),
                .operands = {in[0], in[1], in[3], out[1]},
                .dropped = {}};
}

std::optional<Fusion> by_pattern(const Op& first, const Op& second) {
  const OpId a = first.kernel->id, b = second.kernel->id;
  if (a == OpId::gemm && b == OpId::gelu_fwd) return gemm_with_gelu(first, second);
  if (a == OpId::gemm && b == OpId::gelu_bwd) return gemm_with_gelu_slope(first, second);
  if (a == OpId::residual && b == OpId::rmsnorm_fwd) return residual_with_rmsnorm(first, second);
  if (a == OpId::residual && b == OpId::layernorm_fwd) {
    return residual_with_layernorm(first, second);
  }
  if (a == OpId::gemm && b == OpId::bias_grad) return weight_with_bias_gradient(first, second);
  if (a == OpId::bias_grad && b == OpId::gemm) return weight_with_bias_gradient(second, first);
  return std::nullopt;
}

// A residual sum may be written over its first operand, fused or not.
bool may_share(OpId id, std::string_view written, std::string_view other) {
  const bool residual = id == OpId::residual_rmsnorm_fwd || id == OpId::residual_layernorm_fwd;
  return residual && written == "out" && other == "a";
}

// One after the other, two ops may use memory again that the fused op needs twice at a time.
bool operands_apart(const Fusion& fusion) {
  const OpInfo& info = info_of(fusion.shape.id);
  for (std::size_t i = 0; i < info.operands.size(); ++i) {
    if (access_of(fusion.shape, i) == Access::in) continue;
    for (std::size_t j = 0; j < info.operands.size(); ++j) {
      const BufferSlice &written = fusion.operands[i], &other = fusion.operands[j];
      if (i == j || !overlap(written, other)) continue;
      const bool allowed = may_share(info.id, info.operands[i].name, info.operands[j].name);
      if (!allowed || written != other) return false;
    }
  }
  return true;
}

}  // namespace

bool overlap(const BufferSlice& a, const BufferSlice& b) {
  return a.buffer >= 0 && a.buffer == b.buffer && a.offset < b.offset + b.elements &&
         b.offset < a.offset + a.elements;
}

std::optional<Fusion> fusion_of(const Op& first, const Op& second) {
  if (!first.kernel || !second.kernel) return std::nullopt;
  if (first.kernel->dtype != second.kernel->dtype || first.phase != second.phase) {
    return std::nullopt;
  }
  std::optional<Fusion> fusion = by_pattern(first, second);
  if (fusion && !operands_apart(*fusion)) fusion.reset();
  return fusion;
}

}  // namespace stepmark
