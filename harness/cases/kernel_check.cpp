// SPDX-License-Identifier: Apache-2.0
// A program of one op, prepared like a step's. Noise repeats with a prime period, because GEMMs of
// constant data run at other clocks than real ones and millions of draws would take longer than the
// kernel.
#include "harness/cases/kernel_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "core/error.h"
#include "core/number_text.h"
#include "core/rng.h"
#include "harness/cases/common.h"
#include "harness/program/builder.h"

namespace stepmark {
namespace {

// Random data repeats after this many elements: timing needs values without structure, not millions
// of independent draws. A prime, so that no row of a matrix repeats at the next.
constexpr std::size_t kPeriod = 65521;
constexpr std::size_t kPeriodsPerCopy = 64;

Program single_op_program(const OpShape& shape) {
  ProgramBuilder builder("kernel", 0, 1);
  std::vector<BufferSlice> operands;
  const OpInfo& info = info_of(shape.id);
  for (std::size_t i = 0; i < info.operands.size(); ++i) {
    const std::int64_t elements = elements_of(shape, i);
    operands.push_back(elements == 0 ? BufferSlice{}
                                     : builder.add_buffer(std::string(info.operands[i].name),
                                                          BufferKind::activation,
                                                          dtype_of(shape, i), elements));
  }
  builder.kernel(std::string(info.name), "compute", shape, operands);
  return std::move(builder).take();
}

}  // namespace

void fill_with_noise(Device& device, void* memory, DType dtype, std::int64_t elements,
                     std::uint64_t seed, std::uint64_t stream) {
  const std::size_t width = size_of(dtype);
  const auto count = static_cast<std::size_t>(elements);
  // Several periods at once: a copy to a GPU has a price of its own.
  std::vector<std::byte> piece(width * std::min(count, kPeriod * kPeriodsPerCopy));
  const Philox rng(seed, stream);
  for (std::size_t k = 0; k * width < piece.size(); ++k) {
    if (k < kPeriod) {
      store_from_double(piece.data(), dtype, k, rng.normal(k));
    } else {
      std::memcpy(piece.data() + k * width, piece.data() + (k - kPeriod) * width, width);
    }
  }
  for (std::size_t at = 0; at < count * width; at += piece.size()) {
    device.copy_to_device(static_cast<std::byte*>(memory) + at, piece.data(),
                          std::min(piece.size(), count * width - at));
  }
}

KernelRun::KernelRun(Executor& executor, const OpShape& shape, std::uint64_t seed, KernelData data,
                     const PrepareOptions& options)
    : executor_(executor), shape_(shape) {
  const OpInfo& info = info_of(shape.id);
  const Program program = single_op_program(shape);
  const auto self = make_self_comm();
  comms_ = make_comm_set(*self, program);
  // Its runs are traced ones: no graph of the op would ever be launched.
  PrepareOptions eager = options;
  eager.capture = false;
  runnable_ = executor.prepare(program, *comms_, eager);
  // Operands with a meaning need the op's own hand.
  if (data == KernelData::timed && info.prepare == nullptr) {
    fill_periodically(seed);
    return;
  }
  inputs_.resize(info.operands.size());
  std::vector<std::span<double>> spans;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    inputs_[i].resize(static_cast<std::size_t>(elements_of(shape, i)));
    const Philox rng(seed, i);
    for (std::size_t k = 0; k < inputs_[i].size(); ++k) {
      inputs_[i][k] = k < kPeriod ? rng.normal(k) : inputs_[i][k - kPeriod];
    }
    spans.emplace_back(inputs_[i]);
  }
  if (info.prepare != nullptr) info.prepare(shape, spans);
  refill();
  if (data == KernelData::timed) inputs_.clear();
}

void KernelRun::fill_periodically(std::uint64_t seed) {
  std::int32_t buffer = 0;
  for (std::size_t i = 0; i < info_of(shape_.id).operands.size(); ++i) {
    const std::int64_t elements = elements_of(shape_, i);
    if (elements == 0) continue;
    void* const memory = runnable_->buffer(buffer++);
    if (access_of(shape_, i) == Access::out) continue;  // zeros, as the arena came
    fill_with_noise(executor_.device(), memory, dtype_of(shape_, i), elements, seed, i);
  }
}

void KernelRun::refill() {
  std::int32_t buffer = 0;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].empty()) continue;
    const DType dtype = dtype_of(shape_, i);
    std::vector<std::byte> raw(inputs_[i].size() * size_of(dtype));
    for (std::size_t k = 0; k < inputs_[i].size(); ++k) {
      store_from_double(raw.data(), dtype, k, inputs_[i][k]);
      inputs_[i][k] = load_as_double(raw.data(), dtype, k);
    }
    executor_.device().copy_to_device(runnable_->buffer(buffer++), raw.data(), raw.size());
  }
}

double KernelRun::run() {
  runnable_->run_traced();
  const Span span = runnable_->timeline().spans.front();
  return static_cast<double>(span.end_ns - span.begin_ns) * 1e-9;
}

std::vector<double> KernelRun::read(std::size_t operand) const {
  std::int32_t buffer = 0;
  for (std::size_t i = 0; i < operand; ++i) buffer += inputs_[i].empty() ? 0 : 1;
  const DType dtype = dtype_of(shape_, operand);
  std::vector<std::byte> raw(inputs_[operand].size() * size_of(dtype));
  executor_.device().copy_to_host(raw.data(), runnable_->buffer(buffer), raw.size());
  std::vector<double> values(inputs_[operand].size());
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = load_as_double(raw.data(), dtype, k);
  return values;
}

double KernelRun::error_over_tolerance() {
  STEPMARK_CHECK(inputs_.size() == info_of(shape_.id).operands.size(),
                 "a kernel that is only timed has nothing to compare with");
  std::vector<std::vector<double>> expected = inputs_;
  std::vector<std::span<double>> spans(expected.begin(), expected.end());
  info_of(shape_.id).reference(shape_, spans);
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].empty() || access_of(shape_, i) == Access::in) continue;
    const std::vector<double> got = read(i);
    double error = 0;
    double norm = 0;
    for (std::size_t k = 0; k < got.size(); ++k) {
      error += (got[k] - expected[i][k]) * (got[k] - expected[i][k]);
      norm += expected[i][k] * expected[i][k];
    }
    const double relative = std::sqrt(norm > 0 ? error / norm : error);
    // NaN must not pass as small; exact ops have tolerance 0.
    const double ratio = relative == 0.0 ? 0.0 : relative / tolerance_of(shape_, i);
    worst = std::isnan(ratio) ? ratio : std::max(worst, ratio);
    if (std::isnan(worst)) return worst;
  }
  return worst;
}

namespace {

constexpr std::string_view kReferenceCheck = "against the double reference";

bool check_now(Record& record, CaseContext& context, OpId op, DType dtype) {
  double worst = 0;
  std::string worst_shape;
  const std::vector<OpShape> shapes = info_of(op).test_shapes(dtype);
  if (shapes.empty()) {
    return add_check(
        record, std::string(kReferenceCheck), false,
        fmt::format("{} has no shape in {} to be checked with", info_of(op).name, name_of(dtype)));
  }
  for (const OpShape& shape : shapes) {
    KernelRun kernel(context.executor, shape, context.seed);
    kernel.run();
    const double error = kernel.error_over_tolerance();
    if (!(error <= worst)) {
      worst = error;
      worst_shape = to_text(shape);
    }
    if (std::isnan(worst)) break;
  }
  const double over_ranks = max_over_ranks(context.control, std::isnan(worst) ? HUGE_VAL : worst);
  return add_check(
      record, std::string(kReferenceCheck), over_ranks <= 1.0,
      fmt::format("{} shapes, largest error {} of the tolerance{}", shapes.size(),
                  number_text("{:.2g}", over_ranks), over_ranks > 1.0 ? " at " + worst_shape : ""));
}

}  // namespace

bool check_against_reference(Record& record, CaseContext& context, OpId op, DType dtype) {
  if (context.op_checks == nullptr) return check_now(record, context, op, dtype);
  const auto known = context.op_checks->find({op, dtype});
  if (known != context.op_checks->end()) {
    return add_check(record, std::string(kReferenceCheck), known->second.passed,
                     known->second.detail + ", checked with an earlier case of this run");
  }
  const bool passed = check_now(record, context, op, dtype);
  context.op_checks->emplace(std::pair(op, dtype), record.checks.back());
  return passed;
}

}  // namespace stepmark
