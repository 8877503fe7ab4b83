// SPDX-License-Identifier: Apache-2.0
// What pipeline parallelism says between ranks: the residual stream and its gradient go from stage
// to stage, as this rank's share of the tokens with sequence parallelism. Every link and direction
// has a group and a stream of its own (step_groups.h), so that a transfer runs beside the work of
// other slots; it is received a slot ahead, into a place of its own.
//
// Both ends of a message name it alike ("send.F3.s1", "recv.F3.s1": forward of micro-batch 3 into
// stage 1 of the model), which validation holds against each other.
//
// With p2p=batched all of it goes over one group and stream: what a slot sends and what the next
// slot begins with are one call, behind the slot. Nothing of that runs beside compute. Calls of
// neighbours depend on each other through it, in the order in which the schedule's slots do.
#include <fmt/format.h>

#include "harness/program/lowering/lowering.h"

namespace stepmark {

Lowering::StageMessage Lowering::message(Direction direction, bool sends, BufferSlice x) const {
  const std::int32_t stages = mesh_.stages(), place = mesh_.stage(rank_);
  const std::int32_t before = (place + stages - 1) % stages, next = (place + 1) % stages;
  const bool forward = direction == Direction::forward;
  const bool to_next = forward == sends;  // over the link to the next stage, either way
  const std::int32_t into = pass_.stage.index + (sends ? (forward ? 1 : -1) : 0);
  return {.label = fmt::format("{}.{}{}.s{}", sends ? "send" : "recv", forward ? 'F' : 'B',
                               pass_.micro, into),
          .group = batches_messages()
                       ? StepMesh::name_of(StepGroup::pipeline)
                       : StepGroups::link_name(direction, to_next ? place : before, stages),
          .peer = to_next ? next : before,
          .forward = forward,
          .x = x};
}

void Lowering::exchange(const std::optional<StageMessage>& out,
                        const std::optional<StageMessage>& in) {
  if (!out && !in) return;
  const StageMessage& one = out ? *out : *in;
  CommShape shape{.verb = Verb::send_recv,
                  .axis = one.group,
                  .dtype = plan_.precision,
                  .count = share_tokens_ * model_.hidden};
  if (out) shape.send_peer = out->peer;
  if (in) shape.recv_peer = in->peer;
  builder_.set_phase(one.forward ? Phase::forward : Phase::backward);
  builder_.comm(out && in ? fmt::format("{},{}", out->label, in->label) : one.label, one.group,
                shape, out ? out->x : BufferSlice{}, in ? in->x : BufferSlice{});
}

std::optional<Lowering::StageMessage> Lowering::received_by(const Pass& pass) {
  const Pass current = pass_;
  pass_ = pass;
  std::optional<StageMessage> in;
  if (pass.forward && !pass.stage.first) {
    in = message(Direction::forward, false, residual(pass.stage.begin));
  }
  if (pass.inputs && !pass.stage.last) {
    in = message(Direction::backward, false, gradient_before(pass.stage.end));
  }
  pass_ = current;
  return in;
}

std::optional<Lowering::StageMessage> Lowering::sent() {
  if (pass_.forward && !pass_.stage.last) {
    return message(Direction::forward, true, residual(pass_.stage.end));
  }
  if (pass_.inputs && !pass_.stage.first) {
    return message(Direction::backward, true, gradient_before(pass_.stage.begin));
  }
  return std::nullopt;
}

void Lowering::receive_for(const Pass& pass) {
  if (batches_messages() && received_) {
    ahead_ = pass;
  } else {
    exchange(std::nullopt, received_by(pass));
  }
  received_ = true;
}

void Lowering::send_result() {
  const std::optional<StageMessage> out = sent();
  exchange(out, ahead_ ? received_by(*ahead_) : std::nullopt);
  ahead_.reset();
}

void Lowering::sum_over_model(const std::string& label, BufferSlice x, DType dtype) {
  if (mesh_.stages() == 1) return sum_shards(label, x, dtype);
  all_reduce(label, StepMesh::name_of(StepGroup::model), x, dtype, ReduceOp::sum);
}

}  // namespace stepmark
