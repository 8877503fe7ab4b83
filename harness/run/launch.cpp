// SPDX-License-Identifier: Apache-2.0
// A table of launchers' variables, the innermost first. Slurm's are read apart: they are set in
// allocations and batch scripts, too, where nothing was started in parallel.
#include "harness/run/launch.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "core/environment_variable.h"

namespace stepmark {
namespace {

struct Names {
  const char* launcher;
  const char* rank;
  const char* size;  // null: it does not say
};

// The innermost first: mpirun's daemons may be srun's tasks, never the other way round. Slurm comes
// last and is read apart, since it also sets its variables where it started nothing.
constexpr std::array<Names, 7> kLaunchers{{
    {"Open MPI's mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {"MVAPICH's mpirun", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"},
    {"jsrun", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE"},
    {"Flux", "FLUX_TASK_RANK", "FLUX_JOB_SIZE"},
    {"a PMI launcher (mpiexec of MPICH or Intel MPI, or srun --mpi=pmi2)", "PMI_RANK", "PMI_SIZE"},
    {"PALS", "PALS_RANKID", nullptr},
    {"a PMIx launcher", "PMIX_RANK", nullptr},
}};

std::optional<std::int64_t> number(const VariableLookup& variable, const char* name) {
  const std::optional<std::string> text = variable(name);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (status != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return value;
}

std::optional<int> count(const VariableLookup& variable, const char* name) {
  constexpr std::int64_t kMost = 1'000'000'000;
  const auto value = name == nullptr ? std::nullopt : number(variable, name);
  if (!value || *value < 0 || *value > kMost) return std::nullopt;
  return static_cast<int>(*value);
}

std::string shown(const VariableLookup& variable, std::initializer_list<const char*> names) {
  std::string text;
  for (const char* name : names) {
    const auto value = name == nullptr ? std::nullopt : variable(name);
    if (value) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, *value);
  }
  return text;
}

// A batch script and the shell of an allocation see the allocation's SLURM_NTASKS, and are "task 0"
// of a step of their own with a number from the reserved end of the range (slurm.h: batch script
// 0xfffffffb, interactive 0xfffffffa), or of none.
Launch read_slurm(const VariableLookup& variable) {
  constexpr std::int64_t kFirstReservedStep = 0xfffffff0;
  auto step = number(variable, "SLURM_STEP_ID");
  if (!step) step = number(variable, "SLURM_STEPID");
  const auto rank = count(variable, "SLURM_PROCID");
  const bool in_step = step && *step >= 0 && *step < kFirstReservedStep;
  if (!rank || (!in_step && *rank == 0)) return {};
  auto size = in_step ? count(variable, "SLURM_STEP_NUM_TASKS") : std::nullopt;
  if (!size) size = count(variable, "SLURM_NTASKS");
  if (!size) size = count(variable, "SLURM_NPROCS");
  return {.launcher = "srun",
          .rank = *rank,
          .size = size,
          .variables = shown(variable, {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"})};
}

std::string likely_cause(const Launch& launch, const std::string& mpi_library) {
  if (mpi_library == "none") {
    return "this binary was built without MPI: build with -DSTEPMARK_MPI=ON";
  }
  if (launch.launcher == "srun") {
    return fmt::format(
        "srun gave MPI no way to find the other tasks: try srun --mpi=pmix (srun --mpi=list shows "
        "what there is), or mpirun inside the allocation; MPI is {}",
        mpi_library);
  }
  return fmt::format(
      "two MPIs: the launcher belongs to another one than the library that this program uses, {}; "
      "use that library's mpirun (or srun --mpi=pmix)",
      mpi_library);
}

}  // namespace

Launch read_launch(const VariableLookup& variable) {
  for (const Names& names : kLaunchers) {
    const auto rank = count(variable, names.rank);
    const auto size = count(variable, names.size);
    if (!rank && !size) continue;
    // srun's PMIx plugin says the rank and leaves the number of tasks to Slurm's own variables.
    Launch slurm = read_slurm(variable);
    if (names.size == nullptr && !slurm.launcher.empty() && slurm.rank == rank) return slurm;
    return {.launcher = names.launcher,
            .rank = rank.value_or(0),
            .size = size,
            .variables = shown(variable, {names.rank, names.size})};
  }
  return read_slurm(variable);
}

// More ranks than the launcher says are no fault: variables of an outer launcher may remain, and
// MPI has found its ranks.
std::string launch_disagreement(const Launch& launch, int mpi_size, int mpi_rank,
                                const std::string& mpi_library) {
  if (launch.launcher.empty()) return {};
  if (launch.rank < mpi_size && launch.size.value_or(1) <= mpi_size) return {};
  const std::string of = launch.size ? fmt::format(" of {}", *launch.size) : std::string();
  return fmt::format(
      "{} started this process as number {}{} ({}), but MPI says rank {} of {}: the processes do "
      "not know each other and each would measure alone. Likely cause: {}. --single measures "
      "with what MPI says",
      launch.launcher, launch.rank, of, launch.variables, mpi_rank, mpi_size,
      likely_cause(launch, mpi_library));
}

const Launch& own_launch() {
  static const Launch launch =
      read_launch([](const char* name) { return environment_variable(name); });
  return launch;
}

}  // namespace stepmark
