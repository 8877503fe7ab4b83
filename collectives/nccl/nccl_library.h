// SPDX-License-Identifier: Apache-2.0
// NCCL, opened while running: one binary works with the library of the machine it finds itself on
// and uses what a newer one adds. The types are the toolkit's header's; NCCL keeps its functions
// stable within major version 2.
#pragma once

#include <nccl.h>

#include <memory>
#include <string>
#include <string_view>

namespace stepmark {

// What there is no working without.
#define STEPMARK_NCCL_REQUIRED(X) \
  X(ncclGetVersion)               \
  X(ncclGetErrorString)           \
  X(ncclGetUniqueId)              \
  X(ncclCommInitRankConfig)       \
  X(ncclCommSplit)                \
  X(ncclCommFinalize)             \
  X(ncclCommDestroy)              \
  X(ncclCommAbort)                \
  X(ncclCommGetAsyncError)        \
  X(ncclCommCount)                \
  X(ncclCommUserRank)             \
  X(ncclRedOpCreatePreMulSum)     \
  X(ncclRedOpDestroy)             \
  X(ncclAllReduce)                \
  X(ncclReduce)                   \
  X(ncclBroadcast)                \
  X(ncclReduceScatter)            \
  X(ncclAllGather)                \
  X(ncclSend)                     \
  X(ncclRecv)                     \
  X(ncclGroupStart)               \
  X(ncclGroupEnd)

// What younger libraries have; null where the loaded one is older.
#define STEPMARK_NCCL_OPTIONAL(X) \
  X(ncclGetLastError)             \
  X(ncclAlltoAll)                 \
  X(ncclGather)                   \
  X(ncclScatter)                  \
  X(ncclCommRegister)             \
  X(ncclCommDeregister)           \
  X(ncclCommWindowRegister)       \
  X(ncclCommWindowDeregister)     \
  X(ncclMemAlloc)                 \
  X(ncclMemFree)                  \
  X(ncclCommRevoke)               \
  X(ncclCommShrink)               \
  X(ncclGroupSimulateEnd)

struct NcclFunctions {
// NOLINTNEXTLINE(bugprone-macro-parentheses): declares a member of that name
#define STEPMARK_DECLARE(name) decltype(&::name) name = nullptr;
  STEPMARK_NCCL_REQUIRED(STEPMARK_DECLARE)
  STEPMARK_NCCL_OPTIONAL(STEPMARK_DECLARE)
#undef STEPMARK_DECLARE
};

class NcclLibrary {
 public:
  // Looks for libnccl.so.2, or uses the file named by STEPMARK_NCCL_LIBRARY. Error(kEnvironment)
  // when there is none, when it lacks a required function, or when it is not of major version 2.
  // Warns when its version is not the header's.
  [[nodiscard]] static std::shared_ptr<const NcclLibrary> open();
  // The same library as if it had none of the optional functions, for tests.
  [[nodiscard]] std::shared_ptr<const NcclLibrary> without_optional() const;

  [[nodiscard]] const NcclFunctions& functions() const { return functions_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int version() const { return version_; }  // 22809 for 2.28.9
  // An initialised configuration that this library accepts. The struct carries the version of the
  // header it was compiled with and its size. A library reads as much of the struct as both know
  // and gives defaults to fields younger than that version, so an older library is told its own.
  [[nodiscard]] ncclConfig_t config() const;
  // Throws Error(kEnvironment) for anything but success: the call, `who` made it, NCCL's name of
  // the error and its last message.
  void check(ncclResult_t result, std::string_view call, std::string_view who) const {
    if (result != ncclSuccess) fail(result, call, who);
  }
  [[nodiscard]] std::string describe(ncclResult_t result) const;

 private:
  NcclLibrary() = default;
  [[noreturn]] void fail(ncclResult_t result, std::string_view call, std::string_view who) const;

  NcclFunctions functions_;
  std::string path_;
  int version_ = 0;
};

// "2.28.9" for 22809.
[[nodiscard]] std::string nccl_version_text(int version);

}  // namespace stepmark
