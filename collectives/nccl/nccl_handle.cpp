// SPDX-License-Identifier: Apache-2.0
// Creation and destruction run in threads with a deadline, as either waits for other ranks.
// Communicators stay blocking, as those of training programs are: non-blocking ones launch from a
// thread of NCCL's, and events recorded behind a launch would mean nothing.
#include "collectives/nccl/nccl_handle.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "collectives/nccl/deadline.h"
#include "core/cuda/check.h"
#include "core/error.h"
#include "core/log.h"

namespace stepmark {
namespace {

constexpr double kGoodbyeSeconds = 10.0;

int current_device() {
  int device = 0;
  STEPMARK_CUDA_CHECK(cudaGetDevice(&device));
  return device;
}

}  // namespace

void NcclFamily::add(std::weak_ptr<NcclHandle> member) {
  const std::lock_guard lock(mutex_);
  std::erase_if(members_, [](const auto& known) { return known.expired(); });
  members_.push_back(std::move(member));
}

void NcclFamily::check() {
  std::vector<std::shared_ptr<NcclHandle>> alive;  // keeps them from being destroyed meanwhile
  {
    const std::lock_guard lock(mutex_);
    for (const auto& member : members_) {
      if (auto handle = member.lock()) alive.push_back(std::move(handle));
    }
  }
  for (const auto& handle : alive) handle->check_async();
}

std::shared_ptr<NcclHandle> NcclHandle::make(std::shared_ptr<const NcclLibrary> library,
                                             const std::shared_ptr<NcclFamily>& family,
                                             std::string name, std::string_view call,
                                             Create create) {
  // NCCL offers two ways to bound this. A communicator with blocking=0 returns at once and is
  // polled, but then every later launch is made by a thread of its own and returns before it has
  // been issued: events recorded behind it mean nothing and its cost on the host is a thread's. So
  // communicators are blocking, as those of training programs are, and it is the call that makes
  // one that is watched: it waits for all ranks here, in a thread that may be left behind.
  struct Outcome {
    ncclComm_t comm = nullptr;
    ncclResult_t result = ncclInternalError;
  };
  const auto outcome = std::make_shared<Outcome>();
  const bool returned = run_with_deadline(
      family->deadline_s(),
      [library, create = std::move(create), outcome, device = current_device()] {
        STEPMARK_CUDA_CHECK(cudaSetDevice(device));  // a new thread starts on device 0
        outcome->result = create(library->functions(), &outcome->comm);
      });
  if (!returned) {
    family->mark_failed();
    throw Error(
        ExitCode::kEnvironment,
        fmt::format("{}: not all ranks had joined after {:g} s", name, family->deadline_s()),
        std::string(call));
  }
  if (outcome->result != ncclSuccess) {
    family->mark_failed();
    library->check(outcome->result, call, name);
  }
  if (outcome->comm == nullptr) return nullptr;
  auto handle =
      std::make_shared<NcclHandle>(std::move(library), family, std::move(name), outcome->comm);
  family->add(handle);
  return handle;
}

NcclHandle::NcclHandle(std::shared_ptr<const NcclLibrary> library,
                       std::shared_ptr<NcclFamily> family, std::string name, ncclComm_t comm)
    : library_(std::move(library)),
      family_(std::move(family)),
      comm_(comm),
      device_(current_device()),
      exceptions_at_start_(std::uncaught_exceptions()),
      name_(std::move(name)) {
  check(functions().ncclCommUserRank(comm_, &rank_), "ncclCommUserRank");
  check(functions().ncclCommCount(comm_, &size_), "ncclCommCount");
  name_ = fmt::format("{} rank {} of {}", name_, rank_, size_);
}

NcclHandle::~NcclHandle() {
  const bool abort = family_->failed() || std::uncaught_exceptions() > exceptions_at_start_;
  try {
    const auto result = std::make_shared<std::atomic<ncclResult_t>>(ncclSuccess);
    // Even an abort may wait for the GPU for ever, and a goodbye waits for the other ranks.
    const bool returned = run_with_deadline(
        kGoodbyeSeconds, [library = library_, comm = comm_, device = device_, abort, result] {
          STEPMARK_CUDA_CHECK(cudaSetDevice(device));
          const NcclFunctions& f = library->functions();
          if (abort) {
            *result = f.ncclCommAbort(comm);
            return;
          }
          const ncclResult_t finalized = f.ncclCommFinalize(comm);
          const ncclResult_t destroyed = f.ncclCommDestroy(comm);
          *result = finalized != ncclSuccess ? finalized : destroyed;
        });
    if (!returned) {
      family_->mark_failed();
      log_warning("{}: {} did not return within {:g} s; left behind", name_,
                  abort ? "ncclCommAbort" : "ncclCommFinalize", kGoodbyeSeconds);
    } else if (*result != ncclSuccess) {
      log_warning("{}: not destroyed cleanly: {}", name_, library_->describe(*result));
    }
  } catch (const std::exception& e) {
    log_check_failure("NcclHandle::~NcclHandle()", e.what());
  }
}

void NcclHandle::check_async() const {
  ncclResult_t state = ncclSuccess;
  check(functions().ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError");
  if (state != ncclSuccess && state != ncclInProgress) fail(state, "ncclCommGetAsyncError");
}

void NcclHandle::fail(ncclResult_t result, const char* call) const {
  family_->mark_failed();
  library_->check(result, call, name_);
  throw Error(ExitCode::kEnvironment, "a failure that is none", call);
}

}  // namespace stepmark
