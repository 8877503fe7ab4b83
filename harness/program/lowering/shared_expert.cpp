// SPDX-License-Identifier: Apache-2.0
// A shared expert: an MLP of all tokens beside those that each token chooses, split over
// tensor-parallel ranks as a dense one is. What it gives is added to what the others give.
#include "harness/program/lowering/lowering.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/gemm.h"

namespace stepmark {

void Lowering::shared_expert(const std::string& layer, BufferSlice whole, BufferSlice out,
                             bool add) {
  const BufferSlice up = saved(layer + "shared.up", tokens_ * 2 * shared_ffn_);  // (tokens, in)
  const BufferSlice active =
      saved(layer + "shared.active", tokens_ * shared_ffn_);  // (tokens, ffn)
  linear_forward(layer + "shared.up", whole, up, tokens_, 2 * shared_ffn_, model_.hidden, false);
  activate(layer + "shared.", up, active, tokens_, shared_ffn_);
  compute(layer + "shared.down",
          GemmShape{.m = tokens_,
                    .n = model_.hidden,
                    .k = shared_ffn_,
                    .trans_b = 1,
                    .accumulate = add ? 1 : 0},
          {active, param(layer + "shared.down.weight"), BufferSlice{}, out});
}

BufferSlice Lowering::shared_gradient(const std::string& layer) {
  return gradient_of("shared.dup", layer + "shared.up", tokens_ * 2 * shared_ffn_);
}

void Lowering::shared_backward(const std::string& layer, BufferSlice dy) {
  const BufferSlice up = saved(layer + "shared.up", tokens_ * 2 * shared_ffn_);
  if (pass_.inputs) {
    const BufferSlice dactive = workspace("shared.dactive", tokens_ * shared_ffn_);
    linear_input_gradient(layer + "shared.down", dy, dactive, tokens_, model_.hidden, shared_ffn_);
    compute(layer + "shared.swiglu.bwd", SwigluBwdShape{.rows = tokens_, .cols = shared_ffn_},
            {dactive, up, shared_gradient(layer)});
  }
  if (!pass_.weights) return;
  const BufferSlice active = saved(layer + "shared.active", tokens_ * shared_ffn_);
  activate_again(layer + "shared.", up, active, tokens_, shared_ffn_);
  linear_weight_gradient(layer + "shared.down", dy, active, tokens_, model_.hidden, shared_ffn_);
}

void Lowering::shared_input_gradient(const std::string& layer, BufferSlice dwhole, bool add) {
  linear_input_gradient(layer + "shared.up", shared_gradient(layer), dwhole, tokens_,
                        2 * shared_ffn_, model_.hidden, add);
}

void Lowering::shared_weight_gradient(const std::string& layer, BufferSlice whole) {
  linear_weight_gradient(layer + "shared.up", shared_gradient(layer), whole, tokens_,
                         2 * shared_ffn_, model_.hidden);
}

}  // namespace stepmark
