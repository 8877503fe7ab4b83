// SPDX-License-Identifier: Apache-2.0
// Bound once per process; failures become CudnnRefusal, on which own kernels take over. Handles are
// never destroyed, since the driver may be gone first when the process ends.
#include "kernels/cuda/attention/cudnn_api.h"

#include <fmt/format.h>

#include <map>
#include <memory>

#include "core/shared_library.h"

namespace stepmark::cuda {
namespace {

// An api, or the reason why there is none.
struct Opened {
  CudnnApi api;
  std::string reason;
};

Opened open_cudnn() {
  const SharedLibrary library = SharedLibrary::open(
      {.variable = "STEPMARK_CUDNN_LIBRARY", .names = {"libcudnn.so.9", "libcudnn.so"}});
  if (!library) return {{}, fmt::format("cuDNN was not found: {}", library.error())};
  CudnnApi api;
  api.path = library.path();
#define STEPMARK_CUDNN_BIND(name)                                              \
  api.name = library.symbol<std::remove_pointer_t<decltype(api.name)>>(#name); \
  if (api.name == nullptr) return {{}, fmt::format("{} has no {}", api.path, #name)};
  STEPMARK_CUDNN_FUNCTIONS(STEPMARK_CUDNN_BIND)
#undef STEPMARK_CUDNN_BIND
  const std::size_t version = api.cudnnGetVersion();
  api.version_number = static_cast<std::int64_t>(version);
  api.version = fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
  // The graph interface keeps its numbers within a major version only.
  if (version < kCudnnMinVersion || version / 10000 != CUDNN_MAJOR) {
    return {{}, fmt::format("{} is cuDNN {}; needed is 9.10 or a later 9", api.path, api.version)};
  }
  return {std::move(api), {}};
}

}  // namespace

const CudnnApi& cudnn() {
  static const Opened opened = open_cudnn();
  if (!opened.reason.empty()) throw CudnnRefusal(opened.reason);
  return opened.api;
}

void check_cudnn(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char words[512] = {};
  cudnn().cudnnGetLastErrorString(words, sizeof(words));
  throw CudnnRefusal(fmt::format("cuDNN {}: {}: {}: {}", cudnn().version, call,
                                 cudnn().cudnnGetErrorString(status), words));
}

CudnnHandle& cudnn_handle(int device) {
  static std::mutex mutex;
  // Never destroyed: when the process ends, the driver may be gone first.
  static auto& handles = *new std::map<int, std::unique_ptr<CudnnHandle>>();
  const std::lock_guard lock(mutex);
  std::unique_ptr<CudnnHandle>& entry = handles[device];
  if (!entry) {
    auto made = std::make_unique<CudnnHandle>();
    STEPMARK_CUDNN_CHECK(cudnnCreate(&made->handle));
    entry = std::move(made);
  }
  return *entry;
}

}  // namespace stepmark::cuda
