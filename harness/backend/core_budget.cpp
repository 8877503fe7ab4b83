// SPDX-License-Identifier: Apache-2.0
// A rank's share of its mask and of its quota, whichever is less, by who else is in either. Sharing
// is judged per mask and per control group, so that ranks bound to the same two cores show even on
// an idle host of 64.
#include "harness/backend/core_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "harness/measure/process_start.h"
#include "results/record/json_text.h"

namespace stepmark {
namespace {

using Cpus = std::vector<int>;
constexpr double kSlack = 1e-6;  // quotas are ratios of microseconds

bool meet(const Cpus& a, const Cpus& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](int cpu) { return std::binary_search(b.begin(), b.end(), cpu); });
}

void unite(Cpus& into, const Cpus& more) {
  Cpus all;
  std::set_union(into.begin(), into.end(), more.begin(), more.end(), std::back_inserter(all));
  into = std::move(all);
}

double count_of(const Cpus& cpus) {
  return static_cast<double>(std::max<std::size_t>(1, cpus.size()));
}

// The ranks of one host, by their place in the whole list.
using Host = std::vector<std::size_t>;

class Judge {
 public:
  explicit Judge(std::span<const RankCores> ranks) : ranks_(ranks) {
    for (std::size_t i = 0; i < ranks.size(); ++i) hosts_[ranks[i].host].push_back(i);
    budget_.threads.resize(ranks.size(), 1);
  }

  CoreBudget judge() {
    for (const auto& [name, host] : hosts_) {
      for (const std::size_t i : host) budget_.threads[i] = threads_of(host, i);
      const double usable = usable_of(host);
      const bool over_masks = judge_masks(host), over_quotas = judge_quotas(host);  // both speak
      const bool over = over_masks || over_quotas;
      budget_.oversubscribed = budget_.oversubscribed || over;
      if (!over) judge_idle(host, usable);
    }
    return std::move(budget_);
  }

 private:
  [[nodiscard]] bool same_quota(std::size_t a, std::size_t b) const {
    return ranks_[a].quota && ranks_[b].quota && ranks_[a].quota->group == ranks_[b].quota->group;
  }

  [[nodiscard]] int threads_of(const Host& host, std::size_t rank) const {
    const RankCores& own = ranks_[rank];
    if (own.wanted_threads > 0) return own.wanted_threads;
    const auto sharing = std::count_if(host.begin(), host.end(), [&](std::size_t other) {
      return other == rank || meet(ranks_[other].cpus, own.cpus);
    });
    double share = count_of(own.cpus) / static_cast<double>(sharing);
    if (own.quota) {
      const auto members = std::count_if(
          host.begin(), host.end(), [&](std::size_t other) { return same_quota(rank, other); });
      share = std::min(share, own.quota->cores / static_cast<double>(members));
    }
    return std::max(1, static_cast<int>(std::floor(share + kSlack)));
  }

  template <class Belongs>
  [[nodiscard]] int threads_where(const Host& host, Belongs belongs) const {
    int sum = 0;
    for (const std::size_t i : host) sum += belongs(i) ? budget_.threads[i] : 0;
    return sum;
  }

  [[nodiscard]] Cpus union_of(const Host& host) const {
    Cpus all;
    for (const std::size_t i : host) unite(all, ranks_[i].cpus);
    return all;
  }

  // CPU time per time that the ranks of the host can have together.
  [[nodiscard]] double usable_of(const Host& host) const {
    std::map<std::string, double> quotas;
    for (const std::size_t i : host) {
      if (!ranks_[i].quota) return count_of(union_of(host));
      quotas[ranks_[i].quota->group] = ranks_[i].quota->cores;
    }
    double sum = 0;
    for (const auto& [group, cores] : quotas) sum += cores;
    return std::min(sum, count_of(union_of(host)));
  }

  // Threads that cannot leave a set of CPUs must not outnumber it: looked at for each mask that a
  // rank has, and for all of them together.
  bool judge_masks(const Host& host) {
    std::set<Cpus> masks{union_of(host)};
    for (const std::size_t i : host) masks.insert(ranks_[i].cpus);
    bool over = false;
    for (const Cpus& mask : masks) {
      const auto inside = [&](std::size_t i) {
        return std::includes(mask.begin(), mask.end(), ranks_[i].cpus.begin(),
                             ranks_[i].cpus.end());
      };
      const int threads = threads_where(host, inside);
      if (threads <= count_of(mask) + kSlack) continue;
      over = true;
      remark(fmt::format("{} compute threads share {} CPU{}: timings include scheduling{}", threads,
                         count_of(mask), mask.size() == 1 ? "" : "s", cause(host)));
    }
    return over;
  }

  bool judge_quotas(const Host& host) {
    bool over = false;
    std::set<std::string> seen;
    for (const std::size_t i : host) {
      const auto& quota = ranks_[i].quota;
      if (!quota || !seen.insert(quota->group).second) continue;
      const int threads = threads_where(host, [&](std::size_t k) { return same_quota(i, k); });
      if (threads <= quota->cores + kSlack) continue;
      over = true;
      remark(fmt::format(
          "{} compute thread{} on {:g} cores' worth of CPU time (the quota of control group {}): "
          "the kernel stops the ranks for part of each period, and timings include that; raise "
          "the quota (cpu.max, docker --cpus, resources.limits.cpu)",
          threads, threads == 1 ? "" : "s", quota->cores, quota->group));
    }
    return over;
  }

  void judge_idle(const Host& host, double usable) {
    Cpus available;
    for (const std::size_t i : host) {
      unite(available, ranks_[i].cpus);
      unite(available, ranks_[i].launcher_cpus);
    }
    double whole = count_of(available);
    const bool bound = usable + kSlack < whole && whole > count_of(union_of(host));
    // A quota holds whatever the ranks are bound to.
    if (ranks_[host.front()].quota) whole = std::min(whole, ranks_[host.front()].quota->cores);
    const int threads = threads_where(host, [](std::size_t) { return true; });
    const double spare = std::floor(whole + kSlack) - threads;
    if (spare < 1) return;
    if (spare > most_unused_) {
      most_unused_ = spare;
      budget_.unused = fmt::format("{} of {:.0f} CPUs used", threads, std::floor(whole + kSlack));
    }
    const bool chosen = ranks_[host.front()].wanted_threads > 0;
    const char* what_to_do =
        bound ? "the launcher bound the ranks to fewer than there are: mpirun --bind-to none, or "
                "--map-by slot:PE=N for N CPUs per rank"
        : chosen ? "OMP_NUM_THREADS is less than each rank's share: unset it to use all"
                 : "they do not divide evenly between the ranks";
    remark(
        fmt::format("{} of {:.0f} CPUs used: {}", threads, std::floor(whole + kSlack), what_to_do));
  }

  [[nodiscard]] std::string cause(const Host& host) const {
    const int wanted = ranks_[host.front()].wanted_threads;
    return wanted > 1
               ? fmt::format("; OMP_NUM_THREADS={} for each of {} ranks", wanted, host.size())
               : fmt::format("; {} ranks", host.size());
  }

  void remark(std::string text) {
    auto& all = budget_.remarks;
    if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(std::move(text));
  }

  std::span<const RankCores> ranks_;
  std::map<std::string, Host> hosts_;
  CoreBudget budget_;
  double most_unused_ = 0;
};

Cpus cpus_from(const nlohmann::json& json) {
  const auto cpus = parse_cpu_list(json.get<std::string>());
  STEPMARK_CHECK(cpus.has_value(), "'{}' is no list of CPUs", json.get<std::string>());
  return *cpus;
}

}  // namespace

std::string to_line(const RankCores& rank) {
  nlohmann::json json{{"host", rank.host},
                      {"cpus", cpu_list(rank.cpus)},
                      {"launcher", cpu_list(rank.launcher_cpus)},
                      {"threads", rank.wanted_threads}};
  if (rank.quota) json["quota"] = {rank.quota->cores, rank.quota->group};
  return json_text(json);
}

RankCores rank_cores_from(const std::string& line) {
  const nlohmann::json json = nlohmann::json::parse(line);
  RankCores rank{.host = json.at("host"),
                 .cpus = cpus_from(json.at("cpus")),
                 .launcher_cpus = cpus_from(json.at("launcher")),
                 .wanted_threads = json.at("threads")};
  if (json.contains("quota")) rank.quota = CpuQuota{json["quota"][0], json["quota"][1]};
  return rank;
}

CoreBudget core_budget(std::span<const RankCores> ranks) { return Judge(ranks).judge(); }

}  // namespace stepmark
