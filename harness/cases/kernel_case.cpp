// SPDX-License-Identifier: Apache-2.0
// Family `kernel`: one op alone, every rank at work at the same time. Operands stay in the caches
// that hold them ("warm"). Checked first against the double reference on the op's test shapes.
#include <fmt/format.h>

#include <cmath>

#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/kernel_check.h"

namespace stepmark {
namespace {

constexpr double kBeyondCaches = 128.0 * static_cast<double>(kMiB);

std::string kernel_case_id(const OpShape& shape) {
  const OpInfo& info = info_of(shape.id);
  std::string dims;
  for (std::size_t i = 0; i < info.dim_names.size(); ++i) {
    if (shape.dims[i] == 0) continue;
    dims += fmt::format("{}{}{}", dims.empty() ? "" : ",", info.dim_names[i], shape.dims[i]);
  }
  return fmt::format("kernel/{}/{}/{}", info.name, name_of(shape.dtype), dims);
}

class KernelCase final : public Case {
 public:
  explicit KernelCase(const OpShape& shape) : shape_(shape), id_(kernel_case_id(shape)) {}

  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string_view family() const override { return "kernel"; }

  [[nodiscard]] Record run(CaseContext& context) override {
    Record record;
    record.texts.emplace_back("title", id_.substr(id_.find('/') + 1));
    record.texts.emplace_back("op", std::string(info_of(shape_.id).name));
    record.texts.emplace_back("shape", to_text(shape_));
    record.texts.emplace_back("dtype", std::string(name_of(shape_.dtype)));
    record.numbers.emplace_back("flops", flops_of(shape_));
    record.numbers.emplace_back("bytes", bytes_of(shape_));
    record.numbers.emplace_back("ranks", context.control.size());
    add_floors(record, context.peaks);
    record.texts.emplace_back("mode", "warm caches");
    if (!check(record, context)) return record;
    KernelRun kernel(context.executor, shape_, context.seed);
    sample_into(record, context, [&] { return kernel.run(); });
    return record;
  }

 private:
  // What the roofline needs, where it means something: the fp32 peak for what computes, the
  // memory's speed only for operands too large to stay in the caches.
  void add_floors(Record& record, const DevicePeaks& peaks) const {
    if (peaks.gemm_flops_per_s <= 0 || peaks.copy_bytes_per_s <= 0) return;
    const bool computes =
        flops_of(shape_) / peaks.gemm_flops_per_s >= bytes_of(shape_) / peaks.copy_bytes_per_s;
    if (computes ? shape_.dtype != DType::f32 : bytes_of(shape_) < kBeyondCaches) return;
    record.numbers.emplace_back("peak_gflops", peaks.gemm_flops_per_s * 1e-9);
    record.numbers.emplace_back("copy_gbps", peaks.copy_bytes_per_s * 1e-9);
  }

  bool check(Record& record, CaseContext& context) const {
    double worst = 0;
    std::string worst_shape;
    const std::vector<OpShape> shapes = info_of(shape_.id).test_shapes(shape_.dtype);
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
        record, "against the double reference", over_ranks <= 1.0,
        fmt::format("{} shapes, largest error {:.2g} of the tolerance{}", shapes.size(), over_ranks,
                    over_ranks > 1.0 ? " at " + worst_shape : ""));
  }

  OpShape shape_;
  std::string id_;
};

}  // namespace

std::unique_ptr<Case> make_kernel_case(const OpShape& shape) {
  return std::make_unique<KernelCase>(shape);
}

}  // namespace stepmark
