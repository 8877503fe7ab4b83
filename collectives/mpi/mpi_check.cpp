// SPDX-License-Identifier: Apache-2.0
// The text of an error is MPI's own for the code, and MPI is asked only between MPI_Init and
// MPI_Finalize: any other call of it would end the process.
#include "collectives/mpi/mpi_check.h"

#include <array>
#include <string>

namespace stepmark {

void check_mpi(int code, const char* call, std::source_location where) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) length = 0;
  throw Error(ExitCode::kEnvironment,
              fmt::format("MPI call failed: {} (code {})",
                          std::string(text.data(), static_cast<std::size_t>(length)), code),
              call, where);
}

bool mpi_is_active() {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized != 0 && finalized == 0;
}

MpiCommHandle duplicate(MPI_Comm comm) {
  MPI_Comm copy = MPI_COMM_NULL;
  STEPMARK_MPI(MPI_Comm_dup(comm, &copy));
  return MpiCommHandle(copy);
}

}  // namespace stepmark
