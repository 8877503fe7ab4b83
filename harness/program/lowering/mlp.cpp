// SPDX-License-Identifier: Apache-2.0
// The MLP block: norm, column-parallel up (and gate) projection, activation, row-parallel down
// projection, residual sum.
#include "harness/program/lowering/lowering.h"

#include <fmt/format.h>

#include "kernels/ops/activation.h"

namespace stepmark {

void Lowering::mlp_forward(std::int64_t layer) {
  const std::string name = fmt::format("layer{}.", layer);
  const BufferSlice middle = saved(name + "mid", share_tokens_ * model_.hidden);  // (share, hidden)
  const BufferSlice normed =
      saved(name + "mlp_norm.out", share_tokens_ * model_.hidden);  // (share, hidden)
  norm_forward(name + "mlp_norm", middle, normed);
  const auto result = [&] {
    return again_ ? workspace("layer.out", share_tokens_ * model_.hidden)  // (share, hidden)
                  : residual(layer + 1);
  };
  if (model_.experts > 0 && plan_.routes_shares()) {
    const BufferSlice routed = workspace("routed", routed_ * model_.hidden);  // (routed, hidden)
    experts_forward(name, gather_routed(name + "mlp", normed, "routed.in"), routed);
    const BufferSlice share = sum_routed(name + "mlp", routed);
    if (!has_shared_expert()) return add_up(name + "mlp", middle, share, result());
    const BufferSlice whole = gather_tokens(name + "shared", normed, "gathered");
    const BufferSlice partial = workspace("partial", tokens_ * model_.hidden);  // (tokens, hidden)
    shared_expert(name, whole, partial, /*add=*/false);
    const BufferSlice some = workspace("routed.out", share_tokens_ * model_.hidden);
    add_up(name + "mlp", middle, share, some);
    return add_up(name + "shared", some, reduce_tokens(name + "shared", partial), result());
  }
  if (model_.experts > 0) {
    const BufferSlice out = result();
    const BufferSlice whole = gather_tokens(name + "mlp", normed, "gathered");
    const BufferSlice partial = workspace("partial", tokens_ * model_.hidden);  // (tokens, hidden)
    experts_forward(name, whole, partial);
    if (has_shared_expert()) shared_expert(name, whole, partial, /*add=*/true);
    return add_up(name + "mlp", middle, reduce_tokens(name + "mlp", partial), out);
  }
  const BufferSlice whole = gather_pieces(name + "mlp", normed, "gathered");
  const BufferSlice up = saved(name + "up", tokens_ * mlp_in_);       // (tokens, MLP in)
  const BufferSlice active = saved(name + "active", tokens_ * ffn_);  // (tokens, MLP width)
  for_each_piece([&](std::int64_t n) {
    linear_forward(name + "mlp.up", piece_of(whole, n), piece_of(up, n), piece_tokens(), mlp_in_,
                   model_.hidden, model_.has_bias());
    activate(name, piece_of(up, n), piece_of(active, n));
  });
  row_parallel_residual(name + "mlp.down", active, ffn_, middle, result());
}

void Lowering::activate(const std::string& name, BufferSlice up, BufferSlice active,
                        std::int64_t rows, std::int64_t width) {
  if (model_.family == ModelFamily::llama) {
    compute(name + "swiglu", SwigluFwdShape{.rows = rows, .cols = width}, {up, active});
  } else {
    compute(name + "gelu", GeluFwdShape{.elements = rows * width}, {up, active});
  }
}

void Lowering::activate_backward(const std::string& name, BufferSlice dactive, BufferSlice up,
                                 BufferSlice dup) {
  if (model_.family == ModelFamily::llama) {
    compute(name + "swiglu.bwd", SwigluBwdShape{.rows = dactive.elements / ffn_, .cols = ffn_},
            {dactive, up, dup});
  } else {
    compute(name + "gelu.bwd", GeluBwdShape{.elements = dactive.elements}, {dactive, up, dup});
  }
}

// The same of experts: their rows' gradients, and the router's, come in one go.
void Lowering::mlp_of_experts_backward(std::int64_t layer) {
  const std::string name = fmt::format("layer{}.", layer);
  const BufferSlice dout = gradient_before(layer + 1);  // (share, hidden)
  const bool shares = plan_.routes_shares(), shared = has_shared_expert();
  BufferSlice dy = dout, dall = dout;  // (routed, hidden), (tokens, hidden)
  if (shares && pass_.inputs) dy = gather_routed(name + "mlp.bwd", dout, "routed.dy");
  if (!shares || shared) {
    dall = gather_gradient(name + (shares ? "shared.bwd" : "mlp.bwd"), dout,
                           fmt::format("x{}", layer + 1), /*pieces=*/false);
  }
  experts_backward(name, shares ? dy : dall);
  if (shared) shared_backward(name, dall);
  const BufferSlice normed =
      saved(name + "mlp_norm.out", share_tokens_ * model_.hidden);                // (share, hidden)
  const BufferSlice middle = saved(name + "mid", share_tokens_ * model_.hidden);  // (share, hidden)
  BufferSlice routed, whole;
  if (pass_.weights) {
    norm_again(name + "mlp_norm", middle, normed);
    if (shares) routed = gather_routed(name + "mlp.bwd", normed, "routed.in");
    if (!shares || shared) {
      whole = gather_tokens(name + (shares ? "shared.bwd" : "mlp.bwd"), normed, "gathered");
    }
  }
  BufferSlice dnormed;
  beside_sums([&] { dnormed = mlp_of_experts_input_gradient(name); },
              [&] {
                experts_weight_gradient(name, shares ? routed : whole);
                if (shared) shared_weight_gradient(name, whole);
              });
  if (!pass_.inputs) return;
  branch_backward(name + "mlp_norm", dnormed, middle, dout, gradient_at(name + "mid"));
}

BufferSlice Lowering::mlp_of_experts_input_gradient(const std::string& name) {
  const bool shares = plan_.routes_shares(), shared = has_shared_expert();
  BufferSlice dwhole;  // (tokens, hidden)
  if (!shares || shared) dwhole = workspace("dpartial", tokens_ * model_.hidden);
  const BufferSlice drouted =  // (routed, hidden)
      shares ? workspace("drouted", routed_ * model_.hidden) : dwhole;
  experts_input_gradient(name, drouted);
  if (!shares) {
    if (shared) shared_input_gradient(name, dwhole, /*add=*/true);
    return reduce_tokens(name + "mlp.dgrad", dwhole);
  }
  const BufferSlice share = sum_routed(name + "mlp.dgrad", drouted);
  if (!shared) return share;
  shared_input_gradient(name, dwhole, /*add=*/false);
  const BufferSlice dnormed = workspace("dnormed", share_tokens_ * model_.hidden);
  add_up(name + "shared.dgrad", share, reduce_tokens(name + "shared.dgrad", dwhole), dnormed);
  return dnormed;
}

void Lowering::mlp_backward(std::int64_t layer) {
  if (model_.experts > 0) return mlp_of_experts_backward(layer);
  const std::string name = fmt::format("layer{}.", layer);
  const BufferSlice dout = gradient_before(layer + 1);  // (share, hidden)
  if (pass_.weights && plan_.sequence_parallel) {
    // of this rank's tokens, while the others' are on their way
    bias_gradient(name + "mlp.down", dout, share_tokens_, model_.hidden);
  }
  const BufferSlice dy =
      gather_gradient(name + "mlp.down.bwd", dout, fmt::format("x{}", layer + 1));
  const BufferSlice active = saved(name + "active", tokens_ * ffn_);  // (tokens, MLP width)
  const BufferSlice dactive = workspace("dactive", tokens_ * ffn_);   // (tokens, MLP width)
  const BufferSlice up = saved(name + "up", tokens_ * mlp_in_);       // (tokens, MLP in)
  const BufferSlice dup = gradient_of("dup", name + "up", tokens_ * mlp_in_);  // (tokens, MLP in)
  if (pass_.inputs) {
    for_each_piece([&](std::int64_t n) {
      linear_input_gradient(name + "mlp.down", piece_of(dy, n), piece_of(dactive, n),
                            piece_tokens(), model_.hidden, ffn_);
      activate_backward(name, piece_of(dactive, n), piece_of(up, n), piece_of(dup, n));
    });
  }
  if (pass_.weights) {
    activate_again(name, up, active);
    linear_weight_gradient(name + "mlp.down", dy, active, tokens_, model_.hidden, ffn_);
    if (!plan_.sequence_parallel) bias_gradient(name + "mlp.down", dy, tokens_, model_.hidden);
  }
  const BufferSlice normed =
      saved(name + "mlp_norm.out", share_tokens_ * model_.hidden);                // (share, hidden)
  const BufferSlice middle = saved(name + "mid", share_tokens_ * model_.hidden);  // (share, hidden)
  BufferSlice whole, dnormed;
  if (pass_.weights) {
    norm_again(name + "mlp_norm", middle, normed);
    whole = gather_pieces(name + "mlp.bwd", normed, "gathered");
  }
  beside_sums(
      [&] {
        const BufferSlice dwhole =
            workspace("dpartial", tokens_ * model_.hidden);  // (tokens, hidden)
        dnormed = sum_of_pieces(name + "mlp.up.dgrad", dwhole, [&](std::int64_t n) {
          linear_input_gradient(name + "mlp.up", piece_of(dup, n), piece_of(dwhole, n),
                                piece_tokens(), mlp_in_, model_.hidden);
        });
      },
      [&] {
        linear_weight_gradient(name + "mlp.up", dup, whole, tokens_, mlp_in_, model_.hidden);
        bias_gradient(name + "mlp.up", dup, tokens_, mlp_in_);
      });
  if (!pass_.inputs) return;
  branch_backward(name + "mlp_norm", dnormed, middle, dout, gradient_at(name + "mid"));
}

}  // namespace stepmark
