// SPDX-License-Identifier: Apache-2.0
// What was asked for and could not be done is said once per reason: a message per op would be
// hundreds. The refusal goes back to the caller too, for the record.
#include "kernels/cuda/attention/attention_engine.h"

#include <cstdlib>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "kernels/cuda/attention/cudnn_attention.h"
#include "kernels/cuda/engine_note.h"

namespace stepmark::cuda {
namespace {

struct Told {
  std::mutex mutex;
  std::set<std::string> reasons;
};
Told& told() {
  static Told all;
  return all;
}

enum class Choice { own, cudnn, automatic, deterministic };

Choice choice() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  const char* value = std::getenv("STEPMARK_ATTENTION");
  const std::string_view name = value != nullptr ? value : "auto";
  if (name == "own") return Choice::own;
  if (name == "cudnn") return Choice::cudnn;
  if (name == "deterministic") return Choice::deterministic;
  STEPMARK_REQUIRE(name == "auto",
                   "STEPMARK_ATTENTION={}: must be own, cudnn, deterministic or auto", name);
  return Choice::automatic;
}

void tell_once(const std::string& reason, Choice asked) {
  {
    const std::lock_guard lock(told().mutex);
    if (!told().reasons.insert(reason).second) return;
  }
  log_message(asked == Choice::cudnn ? LogLevel::warning : LogLevel::info,
              "attention uses stepmark's own kernels: " + reason);
}

}  // namespace

std::optional<Enqueue> try_cudnn_attention(const OpShape& shape, void* const* operands,
                                           KernelContext& context, std::string* refused) {
  const Choice asked = choice();
  if (asked == Choice::own) return std::nullopt;
  if (asked == Choice::deterministic && shape.id == OpId::attention_bwd) return std::nullopt;
  if (!CudnnAttention::takes(shape, operands)) {
    const std::string reason = "cuDNN is not used for " + to_text(shape);
    if (asked == Choice::cudnn) tell_once(reason, asked);
    // Nobody expects it to compute in fp32.
    if (asked == Choice::cudnn || shape.dtype == DType::bf16) *refused = reason;
    return std::nullopt;
  }
  std::optional<CudnnAttention::Prepared> prepared =
      CudnnAttention::try_prepare(shape, operands, context, refused);
  if (!prepared) {
    tell_once(*refused, asked);
    return std::nullopt;
  }
  note_engine(shape, {.engine = std::move(prepared->engine), .refused = {}});
  return std::move(prepared->enqueue);
}

}  // namespace stepmark::cuda
