// SPDX-License-Identifier: Apache-2.0
// Start-up proves what the rest rests on: threads at MPI_THREAD_MULTIPLE, and errors that come back
// as codes, tried with a send to a rank that does not exist. After an exception there is no
// MPI_Finalize, which would wait for ranks that may never come.
#include "collectives/mpi/mpi_runtime.h"

#include <array>
#include <cstdlib>
#include <exception>

#include "collectives/mpi/mpi_check.h"

namespace stepmark {
namespace {

// srun without PMI (--mpi=none): Open MPI sees a step of Slurm, looks in vain for who would
// introduce the others, and ends the process inside MPI_Init. Without the step's number it starts
// alone, as it does by hand, so that the program can say what is wrong.
// Nobody else changes the environment before MPI starts.
void forget_step_without_pmi() {
  if (!mpi_library_version().starts_with("Open MPI")) return;
  for (const char* introduced : {"PMIX_NAMESPACE", "PMI_RANK", "OMPI_COMM_WORLD_SIZE"}) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): see above
    if (std::getenv(introduced) != nullptr) return;
  }
  unsetenv("SLURM_STEP_ID");  // NOLINT(concurrency-mt-unsafe): see above
}

// A send to a rank that does not exist must come back as an error code. With any other handler the
// process would end here, at start-up, and not in the middle of a night.
void require_errors_return(int world_size) {
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  STEPMARK_MPI(MPI_Comm_get_errhandler(MPI_COMM_WORLD, &handler));
  STEPMARK_CHECK(handler == MPI_ERRORS_RETURN, "MPI kept its own error handler");
  STEPMARK_MPI(MPI_Errhandler_free(&handler));
  int nothing = 0;
  const int code = MPI_Send(&nothing, 0, MPI_INT, world_size, 0, MPI_COMM_WORLD);
  STEPMARK_CHECK(code != MPI_SUCCESS, "MPI accepted a send to a rank that does not exist");
}

}  // namespace

MpiRuntime::MpiRuntime(int* argc, char*** argv) : exceptions_at_start_(std::uncaught_exceptions()) {
  STEPMARK_CHECK(!mpi_is_active(), "MPI is already initialised");
  forget_step_without_pmi();
  int provided = MPI_THREAD_SINGLE;
  STEPMARK_MPI(MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided));
  STEPMARK_CHECK(provided == MPI_THREAD_MULTIPLE,
                 "this MPI does not support calls from several threads (MPI_THREAD_MULTIPLE): "
                 "level {} was granted by {}",
                 provided, mpi_library_version());
  STEPMARK_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  STEPMARK_MPI(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
  int rank = 0;
  int size = 0;
  STEPMARK_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
  STEPMARK_MPI(MPI_Comm_size(MPI_COMM_WORLD, &size));
  set_identity(rank, size);
  require_errors_return(size);
}

MpiRuntime::~MpiRuntime() {
  if (abandoned_ || std::uncaught_exceptions() > exceptions_at_start_ || !mpi_is_active()) return;
  if (MPI_Finalize() != MPI_SUCCESS) log_check_failure("MPI_Finalize()", "MPI did not end cleanly");
}

void MpiRuntime::abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);  // MPI_Abort is not declared noreturn
}

std::string mpi_library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  STEPMARK_MPI(MPI_Get_library_version(text.data(), &length));
  return text.data();  // Open MPI counts its terminating zero into `length`
}

std::string mpi_standard_version() {
  int major = 0;
  int minor = 0;
  STEPMARK_MPI(MPI_Get_version(&major, &minor));
  return fmt::format("{}.{}", major, minor);
}

}  // namespace stepmark
