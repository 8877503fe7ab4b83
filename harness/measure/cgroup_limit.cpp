// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/cgroup_limit.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace stepmark {
namespace {

namespace fs = std::filesystem;

// Quota over period of one group, read from "quota period"; "max" and -1 mean no limit.
std::optional<double> ratio_from(const std::string& quota, const std::string& period) {
  std::istringstream text(quota + ' ' + period);
  double quota_us = 0;
  double period_us = 0;
  if (!(text >> quota_us >> period_us) || quota_us <= 0 || period_us <= 0) return std::nullopt;
  return quota_us / period_us;
}

std::string word_of(std::istream& stream) {
  std::string word;
  stream >> word;
  return word;
}

std::optional<double> limit_of_group(const fs::path& group) {
  if (std::ifstream both(group / "cpu.max"); both) {
    const std::string quota = word_of(both);
    return ratio_from(quota, word_of(both));
  }
  std::ifstream quota(group / "cpu.cfs_quota_us");
  std::ifstream period(group / "cpu.cfs_period_us");
  return ratio_from(word_of(quota), word_of(period));
}

struct Membership {
  fs::path mount;
  fs::path group;  // absolute, below the mount
};

// Lines of /proc/self/cgroup are "id:controllers:/path"; version 2 has no controllers.
std::vector<Membership> memberships(const std::string& root) {
  std::vector<Membership> out;
  const fs::path mounts = root + "/sys/fs/cgroup";
  std::ifstream stream(root + "/proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) out.push_back({mounts, group});
    if (controllers == "cpu" || controllers == "cpu,cpuacct") {
      out.push_back({mounts / controllers, group});
    }
  }
  return out;
}

}  // namespace

std::optional<double> cgroup_cpu_limit(const std::string& root) {
  std::optional<double> least;
  for (const Membership& member : memberships(root)) {
    // From the group up to the mount; inside a container the upper ones may not be visible, and
    // the mount itself then is the container's group.
    fs::path group = member.group.lexically_normal();
    for (bool more = true; more;) {
      const auto limit = limit_of_group(member.mount / group.relative_path());
      if (limit) least = std::min(*limit, least.value_or(*limit));
      more = group.has_relative_path() && group.has_parent_path();
      group = group.parent_path();
    }
  }
  return least;
}

}  // namespace stepmark
