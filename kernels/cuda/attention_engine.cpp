// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_engine.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "kernels/cuda/cudnn_attention.h"

namespace stepmark::cuda {
namespace {

struct Engines {
  std::mutex mutex;
  std::map<std::string, std::string> by_shape;
  std::set<std::string> reasons_told;
};
Engines& engines() {
  static Engines all;
  return all;
}

enum class Choice { own, cudnn, automatic };

Choice choice() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  const char* value = std::getenv("STEPMARK_ATTENTION");
  const std::string_view name = value != nullptr ? value : "auto";
  if (name == "own") return Choice::own;
  if (name == "cudnn") return Choice::cudnn;
  STEPMARK_REQUIRE(name == "auto", "STEPMARK_ATTENTION={}: must be own, cudnn or auto", name);
  return Choice::automatic;
}

void tell_once(const std::string& reason, Choice asked) {
  {
    const std::lock_guard lock(engines().mutex);
    if (!engines().reasons_told.insert(reason).second) return;
  }
  log_message(asked == Choice::cudnn ? LogLevel::warning : LogLevel::info,
              "attention uses stepmark's own kernels: " + reason);
}

}  // namespace

std::string attention_engine(const OpShape& shape) {
  const std::lock_guard lock(engines().mutex);
  const auto found = engines().by_shape.find(to_text(shape));
  return found != engines().by_shape.end() ? found->second : std::string();
}

void note_attention_engine(const OpShape& shape, std::string engine) {
  const std::lock_guard lock(engines().mutex);
  engines().by_shape.insert_or_assign(to_text(shape), std::move(engine));
}

std::optional<Enqueue> try_cudnn_attention(const OpShape& shape, void* const* operands,
                                           KernelContext& context) {
  const Choice asked = choice();
  if (asked == Choice::own) return std::nullopt;
  if (!CudnnAttention::takes(shape, operands)) {
    if (asked == Choice::cudnn) tell_once("cuDNN is not used for " + to_text(shape), asked);
    return std::nullopt;
  }
  std::string reason;
  std::optional<Enqueue> enqueue = CudnnAttention::try_prepare(shape, operands, context, &reason);
  if (enqueue) {
    note_attention_engine(shape, CudnnAttention::name());
  } else {
    tell_once(reason, asked);
  }
  return enqueue;
}

}  // namespace stepmark::cuda
