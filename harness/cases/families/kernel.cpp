// SPDX-License-Identifier: Apache-2.0
// Family `kernel`: one op alone, every rank at work at the same time. Where the device can, its
// caches are emptied before each run ("cold"), else operands stay where they were ("warm"). Checked
// first against the double reference on the op's test shapes.
#include "harness/cases/families/kernel.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/family.h"
#include "harness/cases/kernel_check.h"
#include "results/families/kernel.h"
#include "results/record/common_facts.h"

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
  [[nodiscard]] std::string_view family() const override { return facts::kernel::kFamily; }

  [[nodiscard]] Record run(CaseContext& context) override {
    Record record;
    record.texts.emplace_back(facts::kTitle, id_.substr(id_.find('/') + 1));
    record.texts.emplace_back(facts::kernel::kOp, std::string(info_of(shape_.id).name));
    record.texts.emplace_back(facts::kernel::kShape, to_text(shape_));
    record.texts.emplace_back(facts::kDtype, std::string(name_of(shape_.dtype)));
    record.numbers.emplace_back(facts::kernel::kFlops, flops_of(shape_));
    record.numbers.emplace_back(facts::kernel::kBytes, bytes_of(shape_));
    record.numbers.emplace_back(facts::kRanks, context.control.size());
    add_comm_facts(record, context.world.facts());
    if (!check_against_reference(record, context, shape_.id, shape_.dtype)) return record;
    KernelRun kernel(context.executor, shape_, context.seed, KernelData::timed, {.cold = true});
    record.texts.emplace_back(facts::kMode, kernel.cold() ? "cold caches" : "warm caches");
    const OpEngine engine = context.executor.engine_of(shape_);
    if (!engine.name.empty()) record.texts.emplace_back(facts::kernel::kEngine, engine.name);
    if (!engine.refused.empty()) {
      record.texts.emplace_back(facts::kEnginesRefused, engine.refused);
      record.labels.push_back("expected engine refused: " + engine.refused);
    }
    add_bounds(record, context.peaks, kernel.cold());
    sample_into(record, context, [&] { return kernel.run(); });
    return record;
  }

 private:
  // What the roofline needs, where it means something: the peak of the op's own arithmetic for what
  // computes, the memory's speed only for operands that come from there.
  void add_bounds(Record& record, const DevicePeaks& peaks, bool cold) const {
    const double flops_per_s = peaks.gemm_of(math_dtype_of(shape_));
    if (peaks.copy_bytes_per_s <= 0 || (flops_per_s <= 0 && flops_of(shape_) > 0)) return;
    const bool computes = flops_per_s > 0 && flops_of(shape_) / flops_per_s >=
                                                 bytes_of(shape_) / peaks.copy_bytes_per_s;
    const double beyond =
        peaks.cache_bytes > 0 ? kBeyondCaches * peaks.cache_bytes : kBeyondUnknownCaches;
    if (!computes && !cold && bytes_of(shape_) < beyond) return;
    if (flops_per_s > 0)
      record.numbers.emplace_back(facts::kernel::kPeakGflops, flops_per_s * 1e-9);
    record.numbers.emplace_back(facts::kernel::kCopyGbps, peaks.copy_bytes_per_s * 1e-9);
  }

  OpShape shape_;
  std::string id_;
};

std::string listed(const std::vector<DType>& dtypes) {
  std::vector<std::string_view> names;
  for (const DType dtype : dtypes) names.push_back(name_of(dtype));
  return fmt::format("{}", fmt::join(names, ", "));
}

// Of many ops that are swept over the same types, those without a type drop out of it, one remark
// for all; for a lone op the type was asked for, and cannot be had.
class MissingTypes {
 public:
  explicit MissingTypes(const KernelEntry& entry) : entry_(entry) {}

  [[nodiscard]] bool lacks(OpId op, DType dtype) {
    const std::vector<DType> has = dtypes_of(op);
    if (std::find(has.begin(), has.end(), dtype) != has.end()) return false;
    const std::string_view name = info_of(op).name;
    if (entry_.ops.size() == 1) {
      placed(entry_.place, [&] {
        throw Error(ExitCode::kUsage,
                    fmt::format("op {} has no {}, but: {}", name, name_of(dtype), listed(has)));
      });
    }
    dropped_[{dtype, listed(has)}].push_back(name);
    return true;
  }

  [[nodiscard]] std::vector<std::string> remarks() const {
    std::vector<std::string> all;
    for (const auto& [what, ops] : dropped_) {
      all.push_back(fmt::format("kernel {}: {} only, no {}: dropped",
                                ops.size() == entry_.ops.size()
                                    ? fmt::format("of all {} ops", ops.size())
                                    : fmt::format("{}", fmt::join(ops, ", ")),
                                what.second, name_of(what.first)));
    }
    return all;
  }

 private:
  const KernelEntry& entry_;
  std::map<std::pair<DType, std::string>, std::vector<std::string_view>> dropped_;
};

}  // namespace

std::unique_ptr<Case> make_kernel_case(const OpShape& shape) {
  return std::make_unique<KernelCase>(shape);
}

// What of an op stays under the limits; a remark where nothing does.
void KernelEntry::expand(const SuiteWorld&, Expansion& expansion) const {
  MissingTypes missing(*this);
  for (const OpId op : ops) {
    for (const DType dtype : dtypes) {
      if (missing.lacks(op, dtype)) continue;
      const std::size_t before = expansion.cases.size();
      for (const OpShape& shape : info_of(op).bench_shapes(dtype)) {
        const double bytes = bytes_of(shape);
        if (bytes < min_bytes || bytes > max_bytes) continue;
        if (flops_of(shape) > max_gflop * 1e9) continue;
        expansion.cases.push_back(std::make_unique<KernelCase>(shape));
      }
      if (expansion.cases.size() > before) continue;
      expansion.remarks.push_back(fmt::format(
          "kernel {} {}: none of its shapes is within min_bytes, max_bytes and max_gflop: "
          "dropped",
          info_of(op).name, name_of(dtype)));
    }
  }
  for (std::string& remark : missing.remarks()) expansion.remarks.push_back(std::move(remark));
}

SuiteEntry read_kernel_entry(YamlMap& map) {
  KernelEntry entry;
  entry.ops = converted<OpId>(map, "ops", op_from);
  if (entry.ops.empty()) {
    for (const OpInfo* info : all_ops()) entry.ops.push_back(info->id);
  }
  entry.dtypes = read_dtypes(map);
  entry.place = map.place("dtypes");
  if (map.has("min_bytes")) {
    entry.min_bytes = static_cast<double>(value_at(map, "min_bytes", "", parse_positive_bytes));
  }
  if (map.has("max_bytes")) {
    entry.max_bytes = static_cast<double>(value_at(map, "max_bytes", "", parse_positive_bytes));
  }
  entry.max_gflop = map.optional_double("max_gflop", entry.max_gflop, {.min = 0.0, .max = 1e12});
  return entry;
}

}  // namespace stepmark
