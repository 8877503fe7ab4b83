// SPDX-License-Identifier: Apache-2.0
// Functions are bound from one list of required and one of optional names. The version is checked
// before what is missing is named, since it explains best why something is missing.
#include "collectives/nccl/nccl_library.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "core/shared_library.h"

namespace stepmark {
namespace {

constexpr int kFirstWithConfigOfSplit = NCCL_VERSION(2, 18, 1);

// ncclGetVersion's coding since 2.9; the ones before are refused anyway.
int major_of(int version) { return version / 10000; }

void check_version(int version, const std::string& path) {
  STEPMARK_CHECK(major_of(version) == NCCL_MAJOR && version >= kFirstWithConfigOfSplit,
                 "{} is NCCL {}: this program was built for {} and needs {} or later of major "
                 "version {}",
                 path, nccl_version_text(version), nccl_version_text(NCCL_VERSION_CODE),
                 nccl_version_text(kFirstWithConfigOfSplit), NCCL_MAJOR);
  if (version == NCCL_VERSION_CODE) return;
  log_info("NCCL {} ({}) is {} than the {} that this program was built for{}",
           nccl_version_text(version), path, version < NCCL_VERSION_CODE ? "older" : "newer",
           nccl_version_text(NCCL_VERSION_CODE),
           version < NCCL_VERSION_CODE ? ": settings that it does not know have no effect" : "");
}

}  // namespace

std::string nccl_version_text(int version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

std::shared_ptr<const NcclLibrary> NcclLibrary::open() {
  const SharedLibrary file =
      SharedLibrary::open({.variable = "STEPMARK_NCCL_LIBRARY", .names = {"libnccl.so.2"}});
  STEPMARK_CHECK(file, "NCCL was not found: {}. Set STEPMARK_NCCL_LIBRARY to its file",
                 file.error());
  std::shared_ptr<NcclLibrary> library(new NcclLibrary);  // NOLINT: the constructor is private
  library->path_ = file.path();
  NcclFunctions& f = library->functions_;
  std::vector<std::string_view> missing;
#define STEPMARK_BIND(name) f.name = file.symbol<decltype(::name)>(#name);
  STEPMARK_NCCL_REQUIRED(STEPMARK_BIND)
  STEPMARK_NCCL_OPTIONAL(STEPMARK_BIND)
#undef STEPMARK_BIND
#define STEPMARK_MISSING(name) \
  if (f.name == nullptr) missing.emplace_back(#name);
  STEPMARK_NCCL_REQUIRED(STEPMARK_MISSING)
#undef STEPMARK_MISSING
  // Before the functions: the version explains best why one is missing.
  STEPMARK_CHECK(f.ncclGetVersion != nullptr && f.ncclGetErrorString != nullptr,
                 "{} is not an NCCL library", file.path());
  library->check(f.ncclGetVersion(&library->version_), "ncclGetVersion", file.path());
  check_version(library->version_, file.path());
  STEPMARK_CHECK(missing.empty(), "{} (NCCL {}) lacks {}", file.path(),
                 nccl_version_text(library->version_), fmt::join(missing, ", "));
  return library;
}

std::shared_ptr<const NcclLibrary> NcclLibrary::without_optional() const {
  std::shared_ptr<NcclLibrary> library(new NcclLibrary(*this));  // NOLINT: see open
#define STEPMARK_FORGET(name) library->functions_.name = nullptr;
  STEPMARK_NCCL_OPTIONAL(STEPMARK_FORGET)
#undef STEPMARK_FORGET
  return library;
}

ncclConfig_t NcclLibrary::config() const {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.version = std::min(config.version, static_cast<unsigned int>(std::max(version_, 0)));
  return config;
}

std::string NcclLibrary::describe(ncclResult_t result) const {
  std::string text =
      fmt::format("{} (code {})", functions_.ncclGetErrorString(result), static_cast<int>(result));
  // The argument is unused by the library: the message is the thread's or process's last one.
  const char* last =
      functions_.ncclGetLastError != nullptr ? functions_.ncclGetLastError(nullptr) : nullptr;
  if (last != nullptr && *last != '\0') text += fmt::format(": {}", last);
  return text;
}

void NcclLibrary::fail(ncclResult_t result, std::string_view call, std::string_view who) const {
  std::string text = fmt::format("NCCL call failed: {}: {}", who, describe(result));
  if (version_ != NCCL_VERSION_CODE) {
    text += fmt::format(" (library {}, built for {})", nccl_version_text(version_),
                        nccl_version_text(NCCL_VERSION_CODE));
  }
  throw Error(ExitCode::kEnvironment, std::move(text), std::string(call));
}

}  // namespace stepmark
