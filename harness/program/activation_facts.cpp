// SPDX-License-Identifier: Apache-2.0
// Whoever reads in the backward pass what was last written in a forward pass has had it kept for
// it. Buffers of several micro-batches in flight are told apart by their set and count once.
#include "harness/program/activation_facts.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace stepmark {
namespace {

// "set2.layer0.qkv" -> "layer0.qkv".
std::string_view without_set(std::string_view name) {
  return name.starts_with("set") ? name.substr(name.find('.') + 1) : name;
}

bool passes(BufferKind kind) {
  return kind == BufferKind::activation || kind == BufferKind::workspace;
}

}  // namespace

std::int64_t ActivationFacts::most_kept_bytes() const {
  std::int64_t most = 0;
  for (const auto& [layer, bytes] : kept_bytes) most = std::max(most, bytes);
  return most;
}

ActivationFacts activation_facts(const Program& program) {
  ActivationFacts facts;
  std::vector<Phase> written(program.buffers.size(), Phase::optimizer);  // when last
  std::set<std::pair<std::string_view, std::string_view>> kept;          // layer, buffer
  for (const Op& op : program.ops) {
    const std::string_view label = op.label;
    const std::string_view layer = label.substr(0, label.find('.'));
    const bool reads = op.phase == Phase::backward && layer.starts_with("layer");
    if (op.kernel && label.find(".recompute.") != std::string_view::npos) {
      facts.recomputed_flops += flops_of(*op.kernel);
    }
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
      if (op.operands[i].buffer < 0) continue;
      const auto b = static_cast<std::size_t>(op.operands[i].buffer);
      const BufferDecl& buffer = program.buffers[b];
      if (!reads || access_of(op, i) == Access::out || written[b] != Phase::forward) continue;
      if (!passes(buffer.kind) || !kept.emplace(layer, without_set(buffer.name)).second) continue;
      facts.kept_bytes[std::string(layer)] +=
          buffer.elements * static_cast<std::int64_t>(size_of(buffer.dtype));
    }
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
      if (op.operands[i].buffer < 0 || access_of(op, i) == Access::in) continue;
      // What a forward pass gathers are parameters and no activations.
      const bool parameters = label.starts_with("params.");
      written[static_cast<std::size_t>(op.operands[i].buffer)] =
          parameters ? Phase::optimizer : op.phase;
    }
  }
  return facts;
}

}  // namespace stepmark
