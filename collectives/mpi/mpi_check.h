// SPDX-License-Identifier: Apache-2.0
// MPI return codes become Errors, and MPI handles become move-only objects. Nothing here works
// unless MPI_ERRORS_RETURN is set (MpiRuntime does so for the world; duplicates inherit it).
#pragma once

#include <mpi.h>

#include <exception>
#include <source_location>
#include <utility>

#include "core/error.h"

namespace stepmark {

// Throws Error(kEnvironment) with MPI's text for the code; `call` is the text of the failed call.
void check_mpi(int code, const char* call,
               std::source_location where = std::source_location::current());

// True between MPI_Init and MPI_Finalize.
[[nodiscard]] bool mpi_is_active();

// Owns a handle made by MPI. Freed in the destructor, except while an exception unwinds (the job is
// then about to be aborted, and freeing might wait for other ranks) and after MPI_Finalize.
template <class Handle, int (*Free)(Handle*)>
class MpiHandle {
 public:
  explicit MpiHandle(Handle handle) : handle_(handle), owned_(true) {}
  MpiHandle(MpiHandle&& other) noexcept
      : handle_(other.handle_), owned_(std::exchange(other.owned_, false)) {}
  MpiHandle& operator=(MpiHandle&&) = delete;  // handles are made once, where they are needed
  MpiHandle(const MpiHandle&) = delete;
  MpiHandle& operator=(const MpiHandle&) = delete;
  ~MpiHandle() {
    if (!owned_ || std::uncaught_exceptions() > 0 || !mpi_is_active()) return;
    if (Free(&handle_) != MPI_SUCCESS) log_check_failure("Free(&handle_)", "MPI handle not freed");
  }
  [[nodiscard]] Handle get() const { return handle_; }

 private:
  Handle handle_;
  bool owned_;
};

using MpiCommHandle = MpiHandle<MPI_Comm, MPI_Comm_free>;
using MpiOpHandle = MpiHandle<MPI_Op, MPI_Op_free>;
using MpiTypeHandle = MpiHandle<MPI_Datatype, MPI_Type_free>;

// A duplicate of `comm` of our own: no message of anyone else can match ours.
[[nodiscard]] MpiCommHandle duplicate(MPI_Comm comm);

}  // namespace stepmark

#define STEPMARK_MPI(call) ::stepmark::check_mpi((call), #call, ::std::source_location::current())
