// SPDX-License-Identifier: Apache-2.0
// MPI from start to end of a process, and what is built on it: the control plane and the world's
// Comm. Works without mpirun too (a world of one rank). Everything made here must be destroyed
// before the MpiRuntime.
#pragma once

#include <memory>
#include <string>

#include "collectives/comm.h"
#include "core/control.h"

namespace stepmark {

class MpiRuntime {
 public:
  // MPI_Init_thread with MPI_THREAD_MULTIPLE (streams are threads, each in its own MPI call);
  // Error(kEnvironment) when it is not granted. Sets MPI_ERRORS_RETURN and proves that it took: the
  // default handler would end the job before a check sees the code. Calls set_identity.
  MpiRuntime(int* argc, char*** argv);
  // MPI_Finalize, which waits for all ranks: not called while an exception unwinds or after
  // abandon(), when other ranks may never arrive.
  ~MpiRuntime();
  MpiRuntime(const MpiRuntime&) = delete;  // MPI starts and ends once per process
  MpiRuntime& operator=(const MpiRuntime&) = delete;

  void abandon() { abandoned_ = true; }
  // Ends all ranks of the job with `exit_code`.
  [[noreturn]] void abort(int exit_code);

 private:
  int exceptions_at_start_;
  bool abandoned_ = false;
};

// Both are collective over the world and have their own duplicate of MPI_COMM_WORLD.
[[nodiscard]] std::unique_ptr<Control> make_mpi_control();
[[nodiscard]] std::unique_ptr<Comm> make_mpi_comm();

// "Open MPI v4.1.4, ..."; callable before MPI_Init.
[[nodiscard]] std::string mpi_library_version();
// "3.1": the standard that the library implements.
[[nodiscard]] std::string mpi_standard_version();

}  // namespace stepmark
