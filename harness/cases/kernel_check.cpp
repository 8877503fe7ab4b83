// SPDX-License-Identifier: Apache-2.0
#include "harness/cases/kernel_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/rng.h"
#include "harness/program/builder.h"

namespace stepmark {
namespace {

// Random data repeats after this many elements: timing needs values without structure, not millions
// of independent draws. A prime, so that no row of a matrix repeats at the next.
constexpr std::size_t kPeriod = 65521;

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

KernelRun::KernelRun(Executor& executor, const OpShape& shape, std::uint64_t seed)
    : executor_(executor), shape_(shape) {
  const OpInfo& info = info_of(shape.id);
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
  const Program program = single_op_program(shape);
  auto self = make_self_comm();
  comms_ = make_comm_set(*self, program);
  runnable_ = executor.prepare(program, *comms_);
  refill();
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
  runnable_->run();
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

}  // namespace stepmark
