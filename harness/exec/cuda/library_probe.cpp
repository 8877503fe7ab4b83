// SPDX-License-Identifier: Apache-2.0
// Opens each library of the CUDA backend and asks for its version. The signatures are spelled out:
// a status is an int, and no header but NCCL's (for the version it was built with) need be there.
#include <fmt/format.h>
#include <nccl.h>

#include <cstddef>

#include "core/shared_library.h"
#include "harness/exec/cuda/cuda_probe.h"

namespace stepmark {
namespace {

constexpr const char* kNoSymbol = "found, but it is not the library that its name says: no ";

GpuLibrary open_library(std::string name, const LibraryQuery& query, SharedLibrary& library) {
  library = SharedLibrary::open(query);
  GpuLibrary facts{.name = std::move(name),
                   .variable = std::string(query.variable),
                   .file = query.names.front()};
  facts.path = library.path();
  facts.error = library.error();
  return facts;
}

GpuLibrary probe_nccl() {
  SharedLibrary library;
  GpuLibrary facts = open_library(
      "NCCL", {.variable = "STEPMARK_NCCL_LIBRARY", .names = {"libnccl.so.2"}}, library);
  facts.built_with = NCCL_VERSION_CODE;
  if (!library) return facts;
  auto* get_version = library.symbol<int(int*)>("ncclGetVersion");
  if (get_version == nullptr) {
    facts.error = std::string(kNoSymbol) + "ncclGetVersion";
  } else if (get_version(&facts.version) != 0) {
    facts.error = "ncclGetVersion failed";
  }
  return facts;
}

// cuBLASLt and cuDNN: size_t NAMEGetVersion().
GpuLibrary probe_versioned(std::string name, const LibraryQuery& query, const char* function) {
  SharedLibrary library;
  GpuLibrary facts = open_library(std::move(name), query, library);
  if (!library) return facts;
  auto* get_version = library.symbol<std::size_t()>(function);
  if (get_version == nullptr) {
    facts.error = std::string(kNoSymbol) + function;
  } else {
    facts.version = static_cast<int>(get_version());
  }
  return facts;
}

GpuLibrary probe_nvml() {
  SharedLibrary library;
  GpuLibrary facts = open_library(
      "NVML", {.variable = "STEPMARK_NVML_LIBRARY", .names = {"libnvidia-ml.so.1"}}, library);
  if (!library) return facts;
  auto* init = library.symbol<int()>("nvmlInit_v2");
  auto* shutdown = library.symbol<int()>("nvmlShutdown");
  auto* text_of = library.symbol<const char*(int)>("nvmlErrorString");
  if (init == nullptr || shutdown == nullptr) {
    facts.error = std::string(kNoSymbol) + "nvmlInit_v2";
    return facts;
  }
  const int status = init();
  if (status != 0) {
    facts.error = fmt::format("nvmlInit: {}", text_of != nullptr ? text_of(status) : "failed");
  } else {
    shutdown();
  }
  return facts;
}

}  // namespace

std::vector<GpuLibrary> probe_gpu_libraries(int cuda_runtime_version) {
  const int major = cuda_runtime_version / 1000;
  return {
      probe_nccl(),
      probe_versioned("cuBLASLt",
                      {.variable = "STEPMARK_CUBLASLT_LIBRARY",
                       .names = {fmt::format("libcublasLt.so.{}", major)}},
                      "cublasLtGetVersion"),
      probe_versioned("cuDNN", {.variable = "STEPMARK_CUDNN_LIBRARY", .names = {"libcudnn.so.9"}},
                      "cudnnGetVersion"),
      probe_nvml()};
}

}  // namespace stepmark
