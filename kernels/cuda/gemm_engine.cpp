// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gemm_engine.h"

#include <map>
#include <mutex>
#include <utility>

namespace stepmark::cuda {
namespace {

struct Engines {
  std::mutex mutex;
  std::map<std::string, std::string> by_shape;
};
Engines& engines() {
  static Engines all;
  return all;
}

}  // namespace

std::string gemm_engine(const OpShape& shape) {
  const std::lock_guard lock(engines().mutex);
  const auto found = engines().by_shape.find(to_text(shape));
  return found != engines().by_shape.end() ? found->second : std::string();
}

void note_gemm_engine(const OpShape& shape, std::string engine) {
  const std::lock_guard lock(engines().mutex);
  engines().by_shape.insert_or_assign(to_text(shape), std::move(engine));
}

}  // namespace stepmark::cuda
