// SPDX-License-Identifier: Apache-2.0
// Files that Open MPI 4 leaves behind when its mpirun is killed: the session folder of that mpirun
// in the temporary folder, and shared memory of its ranks, which stays allocated until someone
// removes it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace stepmark {

struct LeftoverPlaces {
  std::string sessions;  // "/tmp/ompi.HOST.UID"
  std::string shared_memory = "/dev/shm";
  std::string host;
  uid_t user = 0;
};

// Those of this user on this host, as Open MPI names them.
[[nodiscard]] LeftoverPlaces own_leftover_places();

// Removes what belongs to an mpirun that no longer runs and that no process `uses` any more (the
// path of its session folder is in the environment of all its ranks). Returns the number of such
// mpiruns. Never throws: what cannot be removed stays.
int remove_openmpi_leftovers(const LeftoverPlaces& places,
                             const std::function<bool(const std::string& folder)>& uses) noexcept;

// The same for own_leftover_places(), by one rank of each host, with a line of what was removed.
void remove_own_leftovers();

// Whether the environment of any process of this user has the text.
[[nodiscard]] bool any_environment_has(const std::string& text);

}  // namespace stepmark
