// SPDX-License-Identifier: Apache-2.0
// A session folder is left over when the process that its name gives is gone and no environment in
// /proc names it. Its jobs' segments go with it; a failure to tidy up is a debug line, as tidying
// must not stop a run.
#include "harness/backend/openmpi_leftovers.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#include "core/environment_variable.h"
#include "core/error.h"
#include "core/log.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;

// Of "pid.4711".
long launcher_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  constexpr std::string_view kPrefix = "pid.";
  long pid = 0;
  if (!name.starts_with(kPrefix)) return 0;
  const auto [end, status] =
      std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), pid);
  return status == std::errc{} && end == name.data() + name.size() ? pid : 0;
}

bool runs(long pid) { return kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH; }

// Job numbers, from the names of the job's key store: "smdataseg-930611201-0".
std::vector<unsigned long> jobs_of(const fs::path& folder) {
  std::vector<unsigned long> jobs;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const std::size_t dash = name.find('-');
    if (!name.starts_with("sm") || dash == std::string::npos) continue;
    unsigned long job = 0;
    const auto [end, status] =
        std::from_chars(name.data() + dash + 1, name.data() + name.size(), job);
    if (status == std::errc{} && job != 0) jobs.push_back(job);
  }
  return jobs;
}

void remove_segments(const LeftoverPlaces& places, unsigned long job) {
  const std::string prefix =
      fmt::format("vader_segment.{}.{}.{:x}.", places.host, places.user, job);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(places.shared_memory, ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

LeftoverPlaces own_leftover_places() {
  LeftoverPlaces places;
  places.host = identity().host.substr(0, identity().host.find('.'));
  places.user = geteuid();
  const std::string name = fmt::format("ompi.{}.{}", places.host, places.user);
  const auto told = environment_variable("OMPI_MCA_orte_top_session_dir");
  const auto temporary = environment_variable("TMPDIR");
  places.sessions = told.value_or((fs::path(temporary.value_or("/tmp")) / name).string());
  return places;
}

int remove_openmpi_leftovers(const LeftoverPlaces& places,
                             const std::function<bool(const std::string& folder)>& uses) noexcept {
  int count = 0;
  try {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(places.sessions, none)) {
      const long launcher = launcher_of(entry.path());
      if (launcher == 0 || !entry.is_directory() || entry.is_symlink() || runs(launcher)) continue;
      if (uses(entry.path().string())) continue;
      for (const unsigned long job : jobs_of(entry.path())) remove_segments(places, job);
      fs::remove_all(entry.path());
      ++count;
    }
  } catch (const std::exception& error) {
    log_message(LogLevel::debug, error.what());
  }
  return count;
}

void remove_own_leftovers() {
  if (environment_number("OMPI_COMM_WORLD_LOCAL_RANK").value_or(0) != 0) return;
  const int count = remove_openmpi_leftovers(own_leftover_places(), [](const std::string& folder) {
    return any_environment_has("OMPI_MCA_orte_jobfam_session_dir=" + folder);
  });
  if (count > 0) log_info("removed what {} killed mpirun(s) had left on this host", count);
}

bool any_environment_has(const std::string& text) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name[0])) == 0) continue;
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    if (content.str().find(text + '\0') != std::string::npos) return true;
  }
  return false;
}

}  // namespace stepmark
