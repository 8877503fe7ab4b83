// SPDX-License-Identifier: Apache-2.0
#include "op_fixture.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/rng.h"

namespace stepmark::test {
namespace {

constexpr std::byte kCanary{0xA5};

double rounded(double value, DType dtype) {
  std::byte storage[8];
  store_from_double(storage, dtype, 0, value);
  return load_as_double(storage, dtype, 0);
}

}  // namespace

Values random_operands(const OpShape& shape, std::uint64_t seed) {
  const OpInfo& info = info_of(shape.id);
  Values values;
  for (std::size_t i = 0; i < info.operands.size(); ++i) {
    const Philox random(seed, i);
    std::vector<double> operand(static_cast<std::size_t>(elements_of(shape, i)));
    for (std::size_t e = 0; e < operand.size(); ++e) {
      operand[e] = rounded(random.normal(e),
                           dtype_of(shape, i) == DType::i32 ? DType::f64 : dtype_of(shape, i));
    }
    values.push_back(std::move(operand));
  }
  if (info.prepare != nullptr) info.prepare(shape, spans_of(values));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool only_written = access_of(shape, i) == Access::out;
    for (double& v : values[i]) {
      v = only_written ? std::numeric_limits<double>::quiet_NaN() : rounded(v, dtype_of(shape, i));
    }
  }
  return values;
}

std::vector<std::span<double>> spans_of(Values& values) { return {values.begin(), values.end()}; }

void run_reference(const OpShape& shape, Values& values) {
  info_of(shape.id).reference(shape, spans_of(values));
}

GuardedBuffer::GuardedBuffer(DType dtype, const std::vector<double>& values)
    : dtype_(dtype),
      elements_(values.size()),
      storage_(values.size() * size_of(dtype) + 2 * kGuardBytes, kCanary) {
  for (std::size_t i = 0; i < elements_; ++i) store_from_double(data(), dtype_, i, values[i]);
}

void* GuardedBuffer::data() { return elements_ == 0 ? nullptr : storage_.data() + kGuardBytes; }

std::vector<double> GuardedBuffer::values() const {
  std::vector<double> values(elements_);
  for (std::size_t i = 0; i < elements_; ++i) values[i] = load_as_double(bytes(), dtype_, i);
  return values;
}

bool GuardedBuffer::guards_intact() const {
  const auto canary = [](std::byte b) { return b == kCanary; };
  return std::all_of(storage_.begin(), storage_.begin() + kGuardBytes, canary) &&
         std::all_of(storage_.end() - kGuardBytes, storage_.end(), canary);
}

HostResult run_with(const OpShape& shape, const Values& before,
                    const std::function<void(std::vector<GuardedBuffer>&)>& run) {
  std::vector<GuardedBuffer> buffers;
  for (std::size_t i = 0; i < before.size(); ++i) {
    buffers.emplace_back(dtype_of(shape, i), before[i]);
  }
  run(buffers);
  HostResult result;
  for (const GuardedBuffer& buffer : buffers) {
    result.values.push_back(buffer.values());
    result.bytes.emplace_back(buffer.bytes(), buffer.bytes() + buffer.size_bytes());
    result.guards_intact = result.guards_intact && buffer.guards_intact();
  }
  return result;
}

std::vector<HostSet> sets_here() {
  std::vector<HostSet> sets;
  for (const HostSet& set : host_sets()) {
    if (set.runs_here) sets.push_back(set);
  }
  return sets;
}

HostResult run_host(const OpShape& shape, const Values& before, const HostSet& set) {
  return run_with(shape, before, [&](std::vector<GuardedBuffer>& buffers) {
    std::vector<void*> operands;
    for (GuardedBuffer& buffer : buffers) operands.push_back(buffer.data());
    set.kernels[static_cast<std::size_t>(shape.id)](shape, operands.data());
  });
}

double relative_error(const std::vector<double>& got, const std::vector<double>& want) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::sqrt(difference) / (norm == 0 ? 1.0 : std::sqrt(norm));
}

bool is_written(const OpShape& shape, std::size_t operand) {
  return access_of(shape, operand) != Access::in;
}

}  // namespace stepmark::test
