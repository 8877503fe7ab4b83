// SPDX-License-Identifier: Apache-2.0
// What the launcher (mpirun, srun, ...) says in the environment about this process, and whether MPI
// agrees. When it does not, each of N processes believes to be the whole job: it would measure a
// world of one rank N times over and call that a result.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace stepmark {

struct Launch {
  std::string launcher;        // "srun", "Open MPI's mpirun"; empty: started by hand
  int rank = 0;                // of this process
  std::optional<int> size;     // processes of the job; some launchers do not say
  std::string variables = {};  // what it was read from: "SLURM_PROCID=3, SLURM_NTASKS=4"
  [[nodiscard]] bool several() const { return rank > 0 || size.value_or(1) > 1; }
};

using VariableLookup = std::function<std::optional<std::string>(const char* name)>;

// The innermost launcher decides: what a batch system hands down to mpirun's daemons, or to the
// script of an allocation, is not about this process. Variables: Open MPI's mpirun(1), MPICH's
// hydra and PMI-1, PMIx's standard (PMIX_RANK), Slurm's srun(1) "OUTPUT ENVIRONMENT VARIABLES",
// Flux's flux-run(1), HPE's PALS, IBM's jsrun.
[[nodiscard]] Launch read_launch(const VariableLookup& variable);

// What is wrong, with the likely cause and the remedy; empty when MPI knows at least the processes
// that the launcher speaks of. `mpi_library`: its version, or "none" in a build without.
[[nodiscard]] std::string launch_disagreement(const Launch& launch, int mpi_size, int mpi_rank,
                                              const std::string& mpi_library);

// Of this process, as it was at the first call: MPI changes the environment when it starts.
[[nodiscard]] const Launch& own_launch();

}  // namespace stepmark
