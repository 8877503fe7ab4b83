// SPDX-License-Identifier: Apache-2.0
// Timed once per device and shape, on copies of what is written; a form that cannot be tried leaves
// the fused one. The engine's name says which form was the faster.
#include "kernels/cuda/gemm/gemm_form.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cuda/check.h"
#include "kernels/cuda/gemm/cublaslt_search.h"

namespace stepmark::cuda {
namespace {

enum class Choice { untimed, fused, unfused };

bool search_wanted() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  const char* value = std::getenv("STEPMARK_GEMM_SEARCH");
  return value == nullptr || std::string_view(value) != "0";
}

// The operands with other memory for those that are written; empty where there is none.
class Trial {
 public:
  Trial(const OpShape& shape, void* const* operands) {
    for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
      operands_.push_back(operands[i]);
      const auto bytes =
          static_cast<std::size_t>(elements_of(shape, i)) * size_of(dtype_of(shape, i));
      if (access_of(shape, i) == Access::in || bytes == 0) continue;
      memory_.push_back(std::make_unique<TrialMemory>(bytes));
      operands_[i] = memory_.back()->data();
      if (operands_[i] == nullptr) complete_ = false;
      if (complete_) STEPMARK_CUDA_CHECK(cudaMemset(operands_[i], 0, bytes));
    }
  }
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] void* const* operands() const { return operands_.data(); }

 private:
  std::vector<std::unique_ptr<TrialMemory>> memory_;
  std::vector<void*> operands_;
  bool complete_ = true;
};

Choice timed(const OpShape& shape, void* const* operands, const PlanForm& fused,
             const PlanForm& unfused) {
  const Trial trial(shape, operands);
  if (!trial.complete()) return Choice::untimed;
  const auto one = fused(trial.operands()), two = unfused(trial.operands());
  if (!one || !two) return Choice::untimed;
  return time_of(two->enqueue) < time_of(one->enqueue) * kClearlyFaster ? Choice::unfused
                                                                        : Choice::fused;
}

struct Choices {
  std::mutex mutex;
  std::map<std::pair<int, std::string>, Choice> known;
};
Choices& choices() {
  static Choices all;
  return all;
}

Choice choice_of(const OpShape& shape, void* const* operands, const KernelContext& context,
                 const PlanForm& fused, const PlanForm& unfused) {
  // Held while timing: two streams that want the same shall not time each other.
  const std::lock_guard lock(choices().mutex);
  const std::pair key(context.device(), to_text(shape));
  const auto found = choices().known.find(key);
  if (found != choices().known.end()) return found->second;
  const Choice choice = timed(shape, operands, fused, unfused);
  choices().known.emplace(key, choice);
  return choice;
}

}  // namespace

Planned faster_form(const OpShape& shape, void* const* operands, const KernelContext& context,
                    const PlanForm& fused, const PlanForm& unfused) {
  auto one = fused(operands);
  if (!one) return *unfused(operands);
  if (!search_wanted()) return *std::move(one);
  const Choice choice = choice_of(shape, operands, context, fused, unfused);
  if (choice == Choice::untimed) return *std::move(one);
  Planned planned = choice == Choice::fused ? *std::move(one) : *unfused(operands);
  planned.engine += choice == Choice::fused ? " (faster than unfused)" : " (faster than fused)";
  return planned;
}

}  // namespace stepmark::cuda
