// SPDX-License-Identifier: Apache-2.0
// Runs one op on the host on random inputs between guard zones.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/host/sets.h"
#include "kernels/op.h"

namespace stepmark::test {

using Values = std::vector<std::vector<double>>;  // one vector per operand

// Random inputs of a shape (Philox, OpInfo::prepare), rounded to the operands' dtypes; operands
// that are only written hold NaN.
[[nodiscard]] Values random_operands(const OpShape& shape, std::uint64_t seed);
[[nodiscard]] std::vector<std::span<double>> spans_of(Values& values);
// The op's reference, in place.
void run_reference(const OpShape& shape, Values& values);

// An operand in its own dtype between two guard zones; absent (null) when it has no elements.
class GuardedBuffer {
 public:
  GuardedBuffer(DType dtype, const std::vector<double>& values);
  [[nodiscard]] void* data();
  [[nodiscard]] std::vector<double> values() const;
  [[nodiscard]] const std::byte* bytes() const { return storage_.data() + kGuardBytes; }
  [[nodiscard]] std::size_t size_bytes() const { return elements_ * size_of(dtype_); }
  [[nodiscard]] bool guards_intact() const;
  // Guard zone, operand, guard zone.
  [[nodiscard]] std::span<std::byte> whole() { return storage_; }
  [[nodiscard]] std::span<const std::byte> whole() const { return storage_; }

  static constexpr std::size_t kGuardBytes = 256;

 private:
  DType dtype_;
  std::size_t elements_;
  std::vector<std::byte> storage_;
};

struct HostResult {
  Values values;                              // every operand after the run
  std::vector<std::vector<std::byte>> bytes;  // the same, as stored
  bool guards_intact = true;
};
// What `run` leaves in the buffers, one per operand.
[[nodiscard]] HostResult run_with(const OpShape& shape, const Values& before,
                                  const std::function<void(std::vector<GuardedBuffer>&)>& run);
[[nodiscard]] HostResult run_host(const OpShape& shape, const Values& before,
                                  const HostSet& set = host_set());
// Of the sets in the binary those that this machine can run.
[[nodiscard]] std::vector<HostSet> sets_here();

// ||got - want|| / ||want||, absolute when want is 0; NaN when either holds a NaN.
[[nodiscard]] double relative_error(const std::vector<double>& got,
                                    const std::vector<double>& want);
[[nodiscard]] bool is_written(const OpShape& shape, std::size_t operand);

}  // namespace stepmark::test
