// SPDX-License-Identifier: Apache-2.0
// A symmetric window where library, alignment and memory allow it, else local registration, else
// none; never a failure. What came of it is told, because it changes the bandwidth measured.
#include "collectives/nccl/nccl_registration.h"

#include <cstdint>
#include <utility>

#include "core/error.h"
#include "core/log.h"

namespace stepmark {
namespace {

bool is_aligned_for_window(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % NCCL_WIN_REQUIRED_ALIGNMENT == 0;
}

}  // namespace

NcclRegistration::NcclRegistration(std::shared_ptr<const NcclHandle> handle, void* data,
                                   std::size_t bytes, NcclRegistrationKind kind)
    : handle_(std::move(handle)) {
  if (bytes == 0) return;
  const NcclFunctions& f = handle_->functions();
  if (kind == NcclRegistrationKind::window && f.ncclCommWindowRegister != nullptr &&
      f.ncclCommWindowDeregister != nullptr && is_aligned_for_window(data)) {
    handle_->check(
        f.ncclCommWindowRegister(handle_->get(), data, bytes, &window_, NCCL_WIN_COLL_SYMMETRIC),
        "ncclCommWindowRegister");
    if (window_ != nullptr) return;  // null: success without effect, where memory is not suited
  }
  if (f.ncclCommRegister == nullptr || f.ncclCommDeregister == nullptr) return;
  handle_->check(f.ncclCommRegister(handle_->get(), data, bytes, &local_), "ncclCommRegister");
}

NcclRegistration::~NcclRegistration() {
  // After a failure the communicator is aborted, which ends its registrations too.
  if (handle_->family()->failed()) return;
  const NcclFunctions& f = handle_->functions();
  ncclResult_t result = ncclSuccess;
  if (window_ != nullptr) result = f.ncclCommWindowDeregister(handle_->get(), window_);
  if (local_ != nullptr) result = f.ncclCommDeregister(handle_->get(), local_);
  if (result == ncclSuccess) return;
  log_check_failure("ncclCommDeregister", handle_->name());
}

std::string_view NcclRegistration::applied() const {
  if (window_ != nullptr) return "window";
  return local_ != nullptr ? "local" : "none";
}

}  // namespace stepmark
