// SPDX-License-Identifier: Apache-2.0
// What pipeline parallelism says between ranks: the residual stream and its gradient go from stage
// to stage, as this rank's share of the tokens with sequence parallelism. Every link and direction
// has a group and a stream of its own (step_groups.h), so that a transfer runs beside the work of
// other slots; it is received a slot ahead, into a place of its own.
//
// Both ends of a message name it alike ("send.F3.s1", "recv.F3.s1": forward of micro-batch 3 into
// stage 1 of the model), which validation holds against each other.
#include <fmt/format.h>

#include "harness/program/lowering/lowering.h"

namespace stepmark {

void Lowering::message(Direction direction, bool sends, BufferSlice x) {
  const std::int32_t stages = mesh_.stages(), place = mesh_.stage(rank_);
  const std::int32_t before = (place + stages - 1) % stages, next = (place + 1) % stages;
  const bool forward = direction == Direction::forward;
  const bool to_next = forward == sends;  // over the link to the next stage, either way
  const std::string group = StepGroups::link_name(direction, to_next ? place : before, stages);
  const std::int32_t peer = to_next ? next : before;
  const std::int32_t into = pass_.stage.index + (sends ? (forward ? 1 : -1) : 0);
  CommShape shape{.verb = Verb::send_recv,
                  .axis = group,
                  .dtype = plan_.precision,
                  .count = share_tokens_ * model_.hidden};
  (sends ? shape.send_peer : shape.recv_peer) = peer;
  builder_.set_phase(forward ? Phase::forward : Phase::backward);
  builder_.comm(
      fmt::format("{}.{}{}.s{}", sends ? "send" : "recv", forward ? 'F' : 'B', pass_.micro, into),
      group, shape, sends ? x : BufferSlice{}, sends ? BufferSlice{} : x);
}

void Lowering::receive_for(const Pass& pass) {
  const Pass current = pass_;
  pass_ = pass;
  if (pass.forward && !pass.stage.first) {
    message(Direction::forward, false, residual(pass.stage.begin));
  }
  if (pass.inputs && !pass.stage.last) {
    message(Direction::backward, false, gradient_before(pass.stage.end));
  }
  pass_ = current;
}

void Lowering::send_result() {
  if (pass_.forward && !pass_.stage.last) {
    message(Direction::forward, true, residual(pass_.stage.end));
  }
  if (pass_.inputs && !pass_.stage.first) {
    message(Direction::backward, true, gradient_before(pass_.stage.begin));
  }
}

void Lowering::sum_over_model(const std::string& label, BufferSlice x, DType dtype) {
  if (mesh_.stages() == 1) return sum_shards(label, x, dtype);
  all_reduce(label, StepMesh::name_of(StepGroup::model), x, dtype, ReduceOp::sum);
}

}  // namespace stepmark
