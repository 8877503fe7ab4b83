// SPDX-License-Identifier: Apache-2.0
// A process-wide map by the text of a shape, under a lock, since streams are prepared by different
// threads.
#include "kernels/cuda/engine_note.h"

#include <map>
#include <mutex>
#include <utility>

namespace stepmark::cuda {
namespace {

struct Notes {
  std::mutex mutex;
  std::map<std::string, EngineNote> by_shape;
};
Notes& notes() {
  static Notes all;
  return all;
}

}  // namespace

EngineNote engine_note(const OpShape& shape) {
  const std::lock_guard lock(notes().mutex);
  const auto found = notes().by_shape.find(to_text(shape));
  return found != notes().by_shape.end() ? found->second : EngineNote{};
}

void note_engine(const OpShape& shape, EngineNote note) {
  const std::lock_guard lock(notes().mutex);
  notes().by_shape.insert_or_assign(to_text(shape), std::move(note));
}

std::string lost_by_mma(int compute_capability) {
  return compute_capability < 90
             ? ""
             : "mma, the instruction used, reaches a part of this GPU's peak only";
}

}  // namespace stepmark::cuda
