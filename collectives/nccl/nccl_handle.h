// SPDX-License-Identifier: Apache-2.0
// One communicator of NCCL from birth to death, and the family of a world and all groups split from
// it: when one of them fails the run cannot go on, so they are checked and given up together.
#pragma once

#include <nccl.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "collectives/nccl/nccl_library.h"

namespace stepmark {

class NcclHandle;

class NcclFamily {
 public:
  explicit NcclFamily(double deadline_s) : deadline_s_(deadline_s) {}
  void add(std::weak_ptr<NcclHandle> member);
  // Throws Error(kEnvironment) for the first member that has an asynchronous error. Any thread.
  void check();
  void mark_failed() { failed_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_relaxed); }
  [[nodiscard]] double deadline_s() const { return deadline_s_; }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<NcclHandle>> members_;
  std::atomic<bool> failed_{false};
  double deadline_s_;  // of making a communicator
};

class NcclHandle {
 public:
  // Makes a communicator: `create` calls NCCL and stores the handle (null: this rank stays out).
  // Runs in a thread of its own with the caller's CUDA device. Error(kEnvironment) when it fails or
  // has not returned by the family's deadline, which marks the family as failed. Null for a null
  // communicator.
  using Create = std::function<ncclResult_t(const NcclFunctions&, ncclComm_t*)>;
  [[nodiscard]] static std::shared_ptr<NcclHandle> make(std::shared_ptr<const NcclLibrary> library,
                                                        const std::shared_ptr<NcclFamily>& family,
                                                        std::string name, std::string_view call,
                                                        Create create);
  NcclHandle(std::shared_ptr<const NcclLibrary> library, std::shared_ptr<NcclFamily> family,
             std::string name, ncclComm_t comm);
  // Waits until all ranks are done with it; where the family has failed or an exception unwinds it
  // aborts instead. Either way at most 10 s, then it is left behind, with a line in the log.
  ~NcclHandle();
  NcclHandle(const NcclHandle&) = delete;
  NcclHandle& operator=(const NcclHandle&) = delete;

  [[nodiscard]] ncclComm_t get() const { return comm_; }
  [[nodiscard]] const NcclFunctions& functions() const { return library_->functions(); }
  [[nodiscard]] const std::shared_ptr<const NcclLibrary>& library() const { return library_; }
  [[nodiscard]] const std::shared_ptr<NcclFamily>& family() const { return family_; }
  [[nodiscard]] const std::string& name() const { return name_; }  // "world rank 1 of 4"
  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  // The result of a call on this communicator: inline, as it is part of what is measured.
  void check(ncclResult_t result, const char* call) const {
    if (result != ncclSuccess) fail(result, call);
  }
  // Throws when NCCL's threads have found an error meanwhile.
  void check_async() const;

 private:
  [[noreturn]] void fail(ncclResult_t result, const char* call) const;

  std::shared_ptr<const NcclLibrary> library_;
  std::shared_ptr<NcclFamily> family_;
  ncclComm_t comm_;
  int device_ = 0;
  int rank_ = 0;
  int size_ = 1;
  int exceptions_at_start_;
  std::string name_;
};

}  // namespace stepmark
