// SPDX-License-Identifier: Apache-2.0
// Versions 1 and 2, through /proc/self/mountinfo and /proc/self/cgroup. The least quota on the way
// from the own group up to the mount counts: the kernel enforces every one of them.
#include "harness/measure/cgroup_limit.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>
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

bool has_word(const std::string& list, std::string_view word) {
  return (',' + list + ',').find(',' + std::string(word) + ',') != std::string::npos;
}

// A line of mountinfo: "36 35 98:0 ROOT POINT options ... - TYPE SOURCE superoptions".
struct Mount {
  std::string root, point, type, options;
};

std::vector<Mount> mounts(const std::string& root) {
  std::vector<Mount> out;
  std::ifstream stream(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(stream, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream after(line.substr(dash + 3));
    Mount mount;
    std::string skipped;
    before >> skipped >> skipped >> skipped >> mount.root >> mount.point;
    after >> mount.type >> skipped >> mount.options;
    if (mount.type == "cgroup2" || (mount.type == "cgroup" && has_word(mount.options, "cpu"))) {
      out.push_back(std::move(mount));
    }
  }
  return out;
}

// Where a hierarchy usually is, for a file system that does not tell its mounts.
std::vector<Mount> usual_mounts(const std::string& controllers) {
  if (controllers.empty()) {
    return {{"/", "/sys/fs/cgroup", "cgroup2", ""}, {"/", "/sys/fs/cgroup/unified", "cgroup2", ""}};
  }
  return {{"/", "/sys/fs/cgroup/" + controllers, "cgroup", controllers}};
}

// Lines of /proc/self/cgroup are "id:controllers:/path"; version 2 has no controllers.
std::vector<Membership> memberships(const std::string& root) {
  std::vector<Membership> out;
  const std::vector<Mount> known = mounts(root);
  std::ifstream stream(root + "/proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (!controllers.empty() && !has_word(controllers, "cpu")) continue;
    const std::string type = controllers.empty() ? "cgroup2" : "cgroup";
    for (const Mount& mount : known.empty() ? usual_mounts(controllers) : known) {
      if (mount.type != type) continue;
      // A container may see only its own part of the tree, mounted from its group on.
      const bool below = mount.root != "/" && group.starts_with(mount.root);
      std::string inside = group;
      if (below) {
        inside.erase(0, mount.root.size());
        inside.insert(inside.begin(), '/');
      }
      out.push_back({root + mount.point, std::move(inside)});
    }
  }
  return out;
}

}  // namespace

std::optional<CpuQuota> cgroup_cpu_quota(const std::string& root) {
  std::optional<CpuQuota> least;
  for (const Membership& member : memberships(root)) {
    // From the group up to the mount; inside a container the upper ones may not be visible, and
    // the mount itself then is the container's group.
    fs::path group = member.group.lexically_normal();
    for (bool more = true; more;) {
      const auto limit = limit_of_group(member.mount / group.relative_path());
      if (limit && (!least || *limit < least->cores)) least = CpuQuota{*limit, group.string()};
      more = group.has_relative_path() && group.has_parent_path();
      group = group.parent_path();
    }
  }
  return least;
}

}  // namespace stepmark
