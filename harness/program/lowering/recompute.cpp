// SPDX-License-Identifier: Apache-2.0
// What of a layer is computed again before its backward pass instead of being kept (arXiv
// 2205.05198, section 5; arXiv 1604.06174).
//
// full: the layer's input alone is kept, and its whole forward pass is lowered once more where its
// backward pass begins, with the same parameters (under ZeRO-3 those that the backward pass has
// gathered) and the same communication between tensor-parallel ranks. As in the paper's count, and
// in Megatron-LM, that is all of it: the last projection as well, whose result nobody reads.
//
// selective: the paper drops scores, softmax and dropout of the attention core. Here its kernel
// never writes them: its backward pass has them from the log-sum-exp. What is left that is large
// and takes no GEMM are the outputs of the norms and of the activation, and those are dropped: they
// are computed again from what stands before them, where weight gradients read them. Statistics of
// the norms are kept.
//
// What is dropped lies in a place that all layers use in turn. Where weight gradients come later
// than input gradients, a full recomputation comes before these, and what those read is kept from
// there on.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "harness/program/lowering/lowering.h"

namespace stepmark {

bool Lowering::is_kept(const std::string& of_layer) const {
  constexpr std::array<std::string_view, 4> kCheap{"attn_norm.out", "mlp_norm.out", "active",
                                                   "shared.active"};
  switch (plan_.recompute) {
    case Recompute::none:
      return true;
    case Recompute::selective:
      return std::find(kCheap.begin(), kCheap.end(), of_layer) == kCheap.end();
    case Recompute::full:
      return pass_.split();
  }
  return true;
}

BufferSlice Lowering::saved(const std::string& name, std::int64_t elements, DType dtype) {
  const std::string of_layer = name.substr(name.find('.') + 1);
  if (is_kept(of_layer)) return buffer(in_set(name), BufferKind::activation, dtype, elements);
  return buffer("layer." + of_layer, BufferKind::workspace, dtype, elements);
}

std::string Lowering::labelled(const std::string& label) const {
  const std::string piece = piece_ < 0 ? std::string() : fmt::format(".c{}", piece_);
  if (!again_) return label + piece;
  const std::size_t component = label.find('.') + 1;
  return fmt::format("{}recompute.{}{}", label.substr(0, component), label.substr(component),
                     piece);
}

void Lowering::recompute(std::int64_t layer) {
  if (plan_.recompute != Recompute::full) return;
  again([&] {
    attention_forward(layer);
    mlp_forward(layer);
  });
}

void Lowering::norm_again(const std::string& name, BufferSlice x, BufferSlice y) {
  if (plan_.recompute != Recompute::selective) return;
  again([&] { norm_forward(name, x, y); });
}

void Lowering::activate_again(const std::string& name, BufferSlice up, BufferSlice active,
                              std::int64_t rows, std::int64_t width) {
  if (plan_.recompute != Recompute::selective) return;
  again([&] { activate(name, up, active, rows, width); });
}

BufferSlice Lowering::norm_statistic(const std::string& name) {
  if (!name.starts_with("layer")) return statistic(name, share_tokens_);
  // Those that a norm's backward pass reads are there.
  const bool spare = again_ && plan_.recompute == Recompute::selective;
  return spare ? buffer("layer.norm" + name.substr(name.rfind('.')), BufferKind::workspace,
                        DType::f32, share_tokens_)
               : saved(name, share_tokens_, DType::f32);
}

}  // namespace stepmark
