// SPDX-License-Identifier: Apache-2.0
// Family `kernel`: one op alone, every rank at work at the same time. Where the device can, its
// caches are emptied before each run ("cold"), else operands stay where they were ("warm"). Checked
// first against the double reference on the op's test shapes.
#include <fmt/format.h>

#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/kernel_check.h"

namespace stepmark {
namespace {

constexpr double kBeyondUnknownCaches = 128.0 * static_cast<double>(kMiB);
constexpr double kBeyondCaches = 4.0;  // times the largest cache

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
    add_comm_facts(record, context.world.facts());
    if (!check_against_reference(record, context, shape_.id, shape_.dtype)) return record;
    KernelRun kernel(context.executor, shape_, context.seed, KernelData::timed, {.cold = true});
    record.texts.emplace_back("mode", kernel.cold() ? "cold caches" : "warm caches");
    const OpEngine engine = context.executor.engine_of(shape_);
    if (!engine.name.empty()) record.texts.emplace_back("engine", engine.name);
    if (!engine.refused.empty()) {
      record.texts.emplace_back("engines_refused", engine.refused);
      record.labels.push_back("expected engine refused: " + engine.refused);
    }
    add_floors(record, context.peaks, kernel.cold());
    sample_into(record, context, [&] { return kernel.run(); });
    return record;
  }

 private:
  // What the roofline needs, where it means something: the peak of the op's own arithmetic for what
  // computes, the memory's speed only for operands that come from there.
  void add_floors(Record& record, const DevicePeaks& peaks, bool cold) const {
    const double flops_per_s = peaks.gemm_of(math_dtype_of(shape_));
    if (peaks.copy_bytes_per_s <= 0 || (flops_per_s <= 0 && flops_of(shape_) > 0)) return;
    const bool computes = flops_per_s > 0 && flops_of(shape_) / flops_per_s >=
                                                 bytes_of(shape_) / peaks.copy_bytes_per_s;
    const double beyond =
        peaks.cache_bytes > 0 ? kBeyondCaches * peaks.cache_bytes : kBeyondUnknownCaches;
    if (!computes && !cold && bytes_of(shape_) < beyond) return;
    if (flops_per_s > 0) record.numbers.emplace_back("peak_gflops", flops_per_s * 1e-9);
    record.numbers.emplace_back("copy_gbps", peaks.copy_bytes_per_s * 1e-9);
  }

  OpShape shape_;
  std::string id_;
};

}  // namespace

std::unique_ptr<Case> make_kernel_case(const OpShape& shape) {
  return std::make_unique<KernelCase>(shape);
}

}  // namespace stepmark
