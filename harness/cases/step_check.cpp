// SPDX-License-Identifier: Apache-2.0
// Rank 0 alone holds the whole reference, so its memory is asked for first, and a model that does
// not fit is said to be unchecked. Gradients are compared by the relative 2-norm per parameter;
// tolerances are those of sums in another order.
#include "harness/cases/step_check.h"

#include <fmt/format.h>

#include <cmath>

#include "core/number_text.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/program/memory_plan.h"

namespace stepmark {
namespace {

// fp32: rounding of sums in another order. bf16: partial sums over the tensor-parallel group are
// rounded to 8 bits once per layer.
double tolerance_for(DType precision) { return precision == DType::f32 ? 1e-4 : 5e-2; }

// Gradients of the one-rank program, flat in the layout `whole` of one rank without padding, with
// the loss as last element.
std::vector<float> reference_gradients(CaseContext& context, const Model& model, const Plan& plan,
                                       const ParamLayout& whole) {
  const Program program = step_program(model, plan, 0, context.executor.device().traits());
  const auto self = context.world.alone();
  const auto comms = make_comm_set(*self, program);
  const auto runnable = context.executor.prepare(program, *comms, {.reuse = true});
  StepState state(*runnable, context.executor.device(), model, plan, context.seed);
  state.initialise_fresh();
  runnable->run();
  std::vector<float> flat(static_cast<std::size_t>(whole.elements()) + 1, 0.0F);
  for (const Param& param : state.layout().params()) {
    const std::vector<float> values = state.grad_values(param);
    std::copy(values.begin(), values.end(), flat.begin() + whole.find(param.name).offset);
  }
  flat.back() = static_cast<float>(state.loss());
  return flat;
}

// 2-norm of the difference between a shard, as far as it is this rank's to know, and the same
// elements of the whole gradient; relative to that of the shard.
double shard_error(const std::vector<float>& shard, const std::vector<bool>& known,
                   const Param& param, const float* whole) {
  double error = 0;
  double norm = 0;
  std::size_t at = 0;
  for (const RowRange& range : param.rows) {
    for (std::int64_t row = range.begin; row < range.begin + range.count; ++row) {
      const float* expected = whole + row * param.global_cols + param.col_begin;
      for (std::int64_t col = 0; col < param.cols; ++col, ++at) {
        const double difference =
            static_cast<double>(shard[at]) - static_cast<double>(expected[col]);
        if (known[at]) error += difference * difference;
        norm += static_cast<double>(expected[col]) * static_cast<double>(expected[col]);
      }
    }
  }
  return std::sqrt(norm > 0 ? error / norm : error);
}

}  // namespace

double largest_padding(CaseContext& context, const StepState& state) {
  double largest = 0;
  for (const Param& param : state.layout().params()) {
    largest = std::max(largest, state.largest_padding(param));
  }
  largest = std::max(largest, state.largest_between());
  return max_over_ranks(context.control, largest);
}

bool check_against_one_rank(Record& record, CaseContext& context, const Model& model,
                            const Plan& plan, const StepState& state,
                            std::int64_t allocated_bytes) {
  const StepAgreement agreement =
      compare_with_one_rank(context, model, plan, state, allocated_bytes);
  if (!agreement.checked) {
    record.labels.push_back("not compared with one rank: " + agreement.why_not);
    return true;
  }
  return add_check(
      record, "loss and gradients against one rank", agreement.ok(),
      fmt::format("relative error {} and {}, limit {:.0e}",
                  number_text("{:.1e}", agreement.loss_error),
                  number_text("{:.1e}", agreement.gradient_error), agreement.tolerance));
}

std::string replicas_that_differ(CaseContext& context, const StepState& state) {
  const std::vector<std::string> all =
      context.control.gather(fmt::format("{:016x}", state.param_digest()));
  std::string differing;
  for (std::int32_t rank = 0; rank < std::ssize(all); ++rank) {
    const std::int32_t first = state.replicas(rank).front();
    if (all[static_cast<std::size_t>(rank)] == all[static_cast<std::size_t>(first)]) continue;
    differing = fmt::format("ranks {} and {} hold different parameters", first, rank);
    break;
  }
  return context.control.broadcast(differing);
}

StepAgreement compare_with_one_rank(CaseContext& context, const Model& model, const Plan& plan,
                                    const StepState& state, std::int64_t allocated_bytes) {
  StepAgreement result{.tolerance = tolerance_for(plan.precision)};
  const Plan alone = plan.on_one_rank();
  const DeviceTraits traits = context.executor.device().traits();
  const std::int64_t reference_bytes = plan_memory(step_program(model, alone, 0, traits)).bytes;
  const ParamLayout whole(model, alone, 0);
  const std::int64_t flat_bytes = (whole.elements() + 1) * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t needed =
      allocated_bytes + reference_bytes + flat_bytes * (context.control.local_size() + 1);
  if (context.memory_limit_bytes > 0 && needed > context.memory_limit_bytes) {
    result.why_not =
        fmt::format("the one-rank program needs {} more than the host has",
                    format_bytes(static_cast<double>(needed - context.memory_limit_bytes)));
    return result;
  }
  std::vector<float> flat;
  if (context.control.rank() == 0) {
    flat = reference_gradients(context, model, alone, whole);
  } else {
    flat.resize(static_cast<std::size_t>(whole.elements()) + 1);
  }
  Device& device = context.executor.device();
  const Memory memory = device.allocate(static_cast<std::size_t>(flat_bytes));
  const auto stream = device.create_stream("check");
  if (context.control.rank() == 0) {
    device.copy_to_device(memory.data(), flat.data(), memory.bytes());
  }
  context.world.broadcast(memory.data(), memory.data(), flat.size(), DType::f32, 0, *stream);
  stream->synchronize();
  device.copy_to_host(flat.data(), memory.data(), memory.bytes());

  // Of a gradient that is spread over ranks each sees a part of the difference: all of it is at
  // most as if each had as much.
  const double spread = std::sqrt(static_cast<double>(state.layout().state().ways));
  double worst = 0;
  for (const Param& param : state.layout().params()) {
    const Param& global = whole.find(param.name);
    const double error = spread * shard_error(state.grad_values(param), state.updated_here(param),
                                              param, flat.data() + global.offset);
    worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
  }
  const double loss = static_cast<double>(flat.back());
  const double loss_error = state.has_loss() ? std::abs(state.loss() - loss) / std::abs(loss) : 0.0;
  result.checked = true;
  result.gradient_error = max_over_ranks(context.control, worst);
  result.loss_error =
      max_over_ranks(context.control, std::isnan(loss_error) ? HUGE_VAL : loss_error);
  return result;
}

}  // namespace stepmark
