// SPDX-License-Identifier: Apache-2.0
// Buffers made known to NCCL, so that it can reach them without copying through its own.
#pragma once

#include <nccl.h>

#include <cstddef>
#include <memory>
#include <string_view>

#include "collectives/nccl/nccl_handle.h"

namespace stepmark {

enum class NcclRegistrationKind : std::uint8_t {
  local,   // ncclCommRegister
  window,  // ncclCommWindowRegister with NCCL_WIN_COLL_SYMMETRIC; collective over the group
};

// Owns a registration; destroyed before the buffer is freed. A window is collective at both ends.
class NcclRegistration {
 public:
  // A window that the library does not have, or a buffer that is not aligned to
  // NCCL_WIN_REQUIRED_ALIGNMENT, becomes a local registration, and that, where missing, none:
  // applied() says what it is. Error(kEnvironment) when NCCL refuses.
  NcclRegistration(std::shared_ptr<const NcclHandle> handle, void* data, std::size_t bytes,
                   NcclRegistrationKind kind);
  ~NcclRegistration();
  NcclRegistration(const NcclRegistration&) = delete;
  NcclRegistration& operator=(const NcclRegistration&) = delete;
  [[nodiscard]] std::string_view applied() const;  // "window", "local", "none"

 private:
  std::shared_ptr<const NcclHandle> handle_;
  ncclWindow_t window_ = nullptr;
  void* local_ = nullptr;
};

}  // namespace stepmark
