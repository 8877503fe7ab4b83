// SPDX-License-Identifier: Apache-2.0
// The programme in GLPK's terms. Rows and columns are scaled to workloads' tokens and to months, so
// that 1e15 tokens and one GPU stand in the same matrix.
#include "results/portfolio/allocation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glpk.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "core/error.h"

namespace stepmark {
namespace {

constexpr double kSecondsPerHour = 3600;
constexpr double kHoursPerDay = 24;
constexpr double kHours = kDaysPerMonth * kHoursPerDay;  // of a month
constexpr int kLimitMs = 20'000;
constexpr double kNothing = 1e-9;  // of a share

bool may_run(const PortfolioProblem& problem, const Restrictions& with, std::size_t w,
             std::size_t p) {
  const MixWorkload& workload = problem.mix.workloads[w];
  const std::string& name = problem.mix.providers[p].provider;
  if (!problem.rates[w][p] || !(problem.rates[w][p]->median > 0)) return false;
  if (!with.closed.empty() && with.closed[p]) return false;
  if (!with.held.empty() && with.held[w] && *with.held[w] != p) return false;
  return workload.may_run_on.empty() ||
         std::find(workload.may_run_on.begin(), workload.may_run_on.end(), name) !=
             workload.may_run_on.end();
}

double hours_of(const PortfolioProblem& problem, std::size_t w, std::size_t p, double rate) {
  return problem.mix.workloads[w].tokens_per_month / (rate * problem.goodput[p] * kSecondsPerHour);
}

// A workload that can run nowhere, or that would need more than there is.
std::string why_not(const PortfolioProblem& problem, const Restrictions& with) {
  for (std::size_t w = 0; w < problem.mix.workloads.size(); ++w) {
    const MixWorkload& workload = problem.mix.workloads[w];
    double most = 0;  // share of the workload that is done in time with everything for it
    bool anywhere = false;
    for (std::size_t p = 0; p < problem.mix.providers.size(); ++p) {
      if (!may_run(problem, with, w, p)) continue;
      anywhere = true;
      most += problem.mix.providers[p].gpus * kHoursPerDay * workload.deadline_days /
              hours_of(problem, w, p, problem.rates[w][p]->median);
    }
    if (!anywhere) {
      return fmt::format("{}: no provider that it may run on has measured steps of it",
                         workload.workload);
    }
    if (most < 1) {
      return fmt::format("{}: all GPUs together do {} % of its tokens until its deadline",
                         workload.workload, std::lround(100 * most));
    }
  }
  return "all workloads together do not fit into the GPUs until their deadlines";
}

class Programme {
 public:
  Programme(const PortfolioProblem& problem, const Restrictions& with)
      : problem_(problem), with_(with), lp_(glp_create_prob(), glp_delete_prob) {
    glp_term_out(GLP_OFF);
    add_providers();
    add_workloads();
    add_deadlines();
  }

  Allocation solve() {
    glp_iocp how;
    glp_init_iocp(&how);
    how.msg_lev = GLP_MSG_OFF;
    how.presolve = GLP_ON;
    how.tm_lim = kLimitMs;
    const int failed = glp_intopt(lp_.get(), &how);
    const int status = glp_mip_status(lp_.get());
    Allocation out;
    if (status != GLP_OPT) {
      const bool impossible = failed == GLP_ENOPFS || failed == GLP_ENODFS || status == GLP_NOFEAS;
      out.why = impossible ? why_not(problem_, with_)
                           : fmt::format("GLPK found no optimum (code {})", failed);
      return out;
    }
    read(out);
    return out;
  }

 private:
  [[nodiscard]] std::size_t providers() const { return problem_.mix.providers.size(); }
  [[nodiscard]] std::size_t workloads() const { return problem_.mix.workloads.size(); }

  int column(const char* what, double cost, double low, double high) {
    const int index = glp_add_cols(lp_.get(), 1);
    glp_set_col_name(lp_.get(), index, what);
    glp_set_obj_coef(lp_.get(), index, cost);
    glp_set_col_bnds(lp_.get(), index, low == high ? GLP_FX : GLP_DB, low, high);
    return index;
  }

  // Σ value × column  (kind)  bound
  void row(int kind, double bound, const std::vector<std::pair<int, double>>& terms) {
    const int index = glp_add_rows(lp_.get(), 1);
    glp_set_row_bnds(lp_.get(), index, kind, bound, bound);
    std::vector<int> columns(1);  // GLPK counts from 1
    std::vector<double> values(1);
    for (const auto& [column, value] : terms) {
      columns.push_back(column);
      values.push_back(value);
    }
    glp_set_mat_row(lp_.get(), index, static_cast<int>(terms.size()), columns.data(),
                    values.data());
  }

  // paid: GPUs paid for, as a mean over the month; used: 0 or 1.
  void add_providers() {
    glp_set_obj_dir(lp_.get(), GLP_MIN);
    for (std::size_t p = 0; p < providers(); ++p) {
      const MixProvider& provider = problem_.mix.providers[p];
      paid_.push_back(column("paid", problem_.price_per_gpu_hour[p] * kHours, 0, provider.gpus));
      const bool closed = !with_.closed.empty() && with_.closed[p];
      used_.push_back(
          column("used", 0, provider.committed ? 1 : 0, closed && !provider.committed ? 0 : 1));
      glp_set_col_kind(lp_.get(), used_.back(), GLP_IV);
      row(GLP_LO, 0, {{paid_[p], 1}, {used_[p], -provider.minimum_gpus}});
      row(GLP_UP, 0, {{paid_[p], 1}, {used_[p], -provider.gpus}});
    }
  }

  // share: of the workload's tokens at the provider.
  void add_workloads() {
    std::vector<std::vector<std::pair<int, double>>> needs(providers());
    for (std::size_t w = 0; w < workloads(); ++w) {
      std::vector<int>& shares = share_.emplace_back();
      std::vector<std::pair<int, double>> all;
      for (std::size_t p = 0; p < providers(); ++p) {
        const bool may = may_run(problem_, with_, w, p);
        shares.push_back(may ? column("share", 0, 0, 1) : 0);
        if (!may) continue;
        all.emplace_back(shares.back(), 1);
        needs[p].emplace_back(shares.back(),
                              -hours_of(problem_, w, p, problem_.rates[w][p]->median) / kHours);
      }
      row(GLP_FX, 1, all);
    }
    for (std::size_t p = 0; p < providers(); ++p) {
      needs[p].emplace_back(paid_[p], 1);
      row(GLP_LO, 0, needs[p]);
    }
  }

  // Until each deadline, what is due by then; jobs give way to those that are due earlier.
  void add_deadlines() {
    std::set<double> days;
    for (const MixWorkload& workload : problem_.mix.workloads) days.insert(workload.deadline_days);
    for (const double day : days) {
      for (std::size_t p = 0; p < providers(); ++p) {
        std::vector<std::pair<int, double>> due;
        for (std::size_t w = 0; w < workloads(); ++w) {
          if (share_[w][p] == 0 || problem_.mix.workloads[w].deadline_days > day) continue;
          due.emplace_back(share_[w][p], hours_of(problem_, w, p, problem_.rates[w][p]->median) /
                                             (kHoursPerDay * day));
        }
        if (!due.empty()) row(GLP_UP, problem_.mix.providers[p].gpus, due);
      }
    }
  }

  // Without what rounding leaves of nothing: 1e-15 of a workload would owe a provider its minimum.
  [[nodiscard]] std::vector<double> shares_of(std::size_t w) const {
    std::vector<double> out;
    double sum = 0;
    for (const int index : share_[w]) {
      const double share = index == 0 ? 0 : glp_mip_col_val(lp_.get(), index);
      out.push_back(share > kNothing ? share : 0);
      sum += out.back();
    }
    for (double& share : out) share /= sum;
    return out;
  }

  void read(Allocation& out) {
    out.cost_per_month = glp_mip_obj_val(lp_.get());
    for (const int paid : paid_) {
      out.paid_gpu_hours.push_back(glp_mip_col_val(lp_.get(), paid) * kHours);
      out.gpu_hours.push_back(0);
    }
    for (std::size_t w = 0; w < workloads(); ++w) {
      std::vector<double>& shares = out.share.emplace_back(shares_of(w));
      for (std::size_t p = 0; p < providers(); ++p) {
        if (shares[p] > 0)
          out.gpu_hours[p] += shares[p] * hours_of(problem_, w, p, problem_.rates[w][p]->median);
      }
    }
  }

  const PortfolioProblem& problem_;
  const Restrictions& with_;
  std::unique_ptr<glp_prob, void (*)(glp_prob*)> lp_;
  std::vector<int> paid_, used_;         // [providers]
  std::vector<std::vector<int>> share_;  // [workloads][providers]; 0: cannot run there
};

}  // namespace

Allocation cheapest(const PortfolioProblem& problem, const Restrictions& with) {
  return Programme(problem, with).solve();
}

double cost_of(const PortfolioProblem& problem, const Allocation& allocation,
               const std::vector<std::vector<double>>& rates) {
  double cost = 0;
  for (std::size_t p = 0; p < problem.mix.providers.size(); ++p) {
    const MixProvider& provider = problem.mix.providers[p];
    double hours = 0;
    for (std::size_t w = 0; w < rates.size(); ++w) {
      if (allocation.share[w][p] > 0) {
        hours += allocation.share[w][p] * hours_of(problem, w, p, rates[w][p]);
      }
    }
    const bool owed = hours > 0 || provider.committed;
    cost += problem.price_per_gpu_hour[p] *
            std::max(hours, owed ? provider.minimum_gpus * kHours : 0.0);
  }
  return cost;
}

}  // namespace stepmark
