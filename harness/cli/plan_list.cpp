// SPDX-License-Identifier: Apache-2.0
// Costs of every plan by PlanEstimator; the memory of those that are shown is planned buffer by
// buffer, which takes longer than all else. They come in the order of what they would take if FLOPs
// ran at the declared peak, each byte at the declared rate of its links, and nothing overlapped:
// that orders plans and predicts no time.
#include "harness/cli/plan_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "core/log.h"
#include "core/output.h"
#include "core/units.h"
#include "harness/program/plan_estimate.h"
#include "harness/program/plan_space.h"
#include "harness/program/step_facts.h"
#include "harness/spec/step_mesh.h"
#include "results/record/json_text.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

struct Row {
  Plan plan;
  PlanEstimate cost;
  std::map<std::string, Tier> tiers;   // by axis; empty: no cluster
  std::optional<double> seconds;       // at peak and declared rates, nothing overlapped
  std::int64_t memory_bytes = 0;       // of the rank that needs most; of what is shown
  double scale_up = 0, scale_out = 0;  // bytes; what crosses both counts as scale-out

  [[nodiscard]] double sent() const {
    double bytes = 0;
    for (const auto& [axis, of_axis] : cost.bus_bytes) bytes += of_axis;
    return bytes;
  }
};

// Bytes over a rate in GB/s; nothing where there are bytes and no rate.
std::optional<double> seconds_of(double bytes, double gb_per_s) {
  if (bytes == 0) return 0.0;
  if (gb_per_s <= 0) return std::nullopt;
  return bytes / (gb_per_s * 1e9);
}

Row row_of(const Plan& plan, const Model& model, PlanEstimator& estimator,
           const std::optional<Cluster>& cluster) {
  Row row{.plan = plan, .cost = estimator.estimate(plan), .tiers = {}, .seconds = {}};
  if (!cluster) return row;
  row.tiers = tiers_of(model, plan, cluster->scale_up_domain);
  for (const auto& [axis, bytes] : row.cost.bus_bytes) {
    (row.tiers.at(axis) == Tier::scale_up ? row.scale_up : row.scale_out) += bytes;
  }
  const auto peak = cluster->peaks.flops_per_s(plan.precision);
  const auto up = seconds_of(row.scale_up, cluster->scale_up_gb_per_s);
  const auto out = seconds_of(row.scale_out, cluster->scale_out_gb_per_s);
  if (peak && up && out) {
    const double flops = model_flops(model, plan) / static_cast<double>(plan.ranks()) +
                         row.cost.recomputed_flops + row.cost.uneven_flops;
    row.seconds = flops / *peak / (1 - row.cost.bubble) + *up + *out;
  }
  return row;
}

// What is shown, and how many plans of the order were looked at for it.
struct Shown {
  std::vector<Row> rows;
  std::size_t looked_at = 0;
};

// Says how far a long list is.
class Progress {
 public:
  template <class... Args>
  void say(fmt::format_string<Args...> text, Args&&... args) {
    constexpr std::chrono::seconds kBetweenWords{10};
    const auto now = std::chrono::steady_clock::now();
    if (now - said_ <= kBetweenWords) return;
    said_ = now;
    log_info("{}", fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  std::chrono::steady_clock::time_point said_ = std::chrono::steady_clock::now();
};

Shown first_of(const std::vector<Row>& rows, const PlanOptions& options, const Model& model,
               const DeviceTraits& traits, std::optional<std::int64_t> available) {
  const auto most = options.top == 0 ? rows.size() : static_cast<std::size_t>(options.top);
  const std::int64_t limit = options.fits && available ? *available : kNoMemoryLimit;
  Shown shown;
  Progress progress;  // where little fits, that takes minutes
  for (const Row& row : rows) {
    if (shown.rows.size() == most) break;
    progress.say("{} of {} plans looked at, {} of them shown", shown.looked_at, rows.size(),
                 shown.rows.size());
    ++shown.looked_at;
    if (row.cost.state_bytes > static_cast<double>(limit)) continue;
    const std::int64_t bytes = step_memory_bytes(model, row.plan, traits, limit);
    if (bytes > limit) continue;
    shown.rows.push_back(row);
    shown.rows.back().memory_bytes = bytes;
  }
  return shown;
}

std::string by_axis(const Row& row) {
  constexpr double kWorthAWord = 1e6;  // bytes: scalars are left out
  std::string text;
  for (const auto& [axis, bytes] : row.cost.bus_bytes) {
    if (bytes < kWorthAWord) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", axis, format_bytes(bytes));
    if (const auto tier = row.tiers.find(axis); tier != row.tiers.end()) {
      text += tier->second == Tier::scale_up    ? " up"
              : tier->second == Tier::scale_out ? " out"
                                                : " both";
    }
  }
  return text;
}

std::string fits_text(const Row& row, std::optional<std::int64_t> available) {
  if (!available) return "N/A";
  return row.memory_bytes <= *available ? "yes" : "no";
}

struct Listed {
  const Workload& workload;
  const PlanSpace& space;
  const std::optional<Cluster>& cluster;
  std::optional<std::int64_t> available;  // bytes of an accelerator
  std::size_t legal_plans = 0;
  bool fits = false;  // that alone is shown
};

std::string to_table(const Shown& shown, const Listed& listed) {
  const auto& [workload, space, cluster, available, legal_plans, fits] = listed;
  std::string text =
      fmt::format("{} on {} ranks{}, {} sequences per step: {} legal plans", workload.name,
                  space.ranks, cluster ? fmt::format(" of {}", cluster->name) : std::string(),
                  space.global_batch, legal_plans);
  if (fits) {
    text += fmt::format("; {} of the first {} fit", shown.rows.size(), shown.looked_at);
  }
  text += "\n\n";
  std::vector<TextTable::Column> columns{{.title = "plan", .align = Align::left},
                                         {.title = "memory"},
                                         {.title = "bubble"},
                                         {.title = "sent per rank and step", .align = Align::left}};
  if (cluster) {
    columns.push_back({.title = "fits", .align = Align::left});
    columns.push_back({.title = "at rates"});
  }
  TextTable table(columns);
  for (const Row& row : shown.rows) {
    std::vector<std::string> cells{short_name(row.plan),
                                   format_bytes(static_cast<double>(row.memory_bytes)),
                                   fmt::format("{:.1f} %", 100 * row.cost.bubble), by_axis(row)};
    if (cluster) {
      cells.push_back(fits_text(row, available));
      cells.push_back(row.seconds ? format_seconds(*row.seconds) : "N/A");
    }
    table.add(cells);
  }
  constexpr std::size_t kWide = 150;
  text += table.text(kWide);
  if (shown.looked_at < legal_plans) {
    text += fmt::format("{} more: --top 0 shows all\n", legal_plans - shown.looked_at);
  }
  return text +
         (cluster ? "memory: of the rank that needs most\n"
                    "up, out, both: links of the group\n"
                    "at rates: FLOPs, recomputed ones too, at the declared peak, bubble and bytes "
                    "at declared rates, nothing overlapped: an order, no prediction\n"
                  : "memory: of the rank that needs most; in the order of what is sent\n"
                    "with --cluster: which fit, which links carry what, and an order by declared "
                    "rates\n");
}

nlohmann::json to_json(const Shown& shown, const Listed& listed) {
  const auto& [workload, space, cluster, available, legal_plans, fits] = listed;
  nlohmann::json plans = nlohmann::json::array();
  for (const Row& row : shown.rows) {
    nlohmann::json axes = nlohmann::json::object();
    for (const auto& [axis, bytes] : row.cost.bus_bytes) {
      axes[axis] = {{"bus_bytes_per_rank", bytes}};
      const auto tier = row.tiers.find(axis);
      axes[axis]["tier"] =
          tier == row.tiers.end() ? nlohmann::json() : nlohmann::json(name_of(tier->second));
    }
    plans.push_back(
        {{"plan", to_text(row.plan)},
         {"memory_bytes_per_rank", row.memory_bytes},
         {"fits", available ? nlohmann::json(row.memory_bytes <= *available) : nlohmann::json()},
         {"bubble_idle_over_total", row.cost.bubble},
         {"recomputed_flops_per_rank", row.cost.recomputed_flops},
         {"uneven_expert_flops_per_rank", row.cost.uneven_flops},
         {"axes", axes},
         {"at_declared_rates_s", row.seconds ? nlohmann::json(*row.seconds) : nlohmann::json()}});
  }
  return {{"workload", workload.name},
          {"ranks", space.ranks},
          {"global_batch", space.global_batch},
          {"cluster", cluster ? nlohmann::json(cluster->name) : nlohmann::json()},
          {"legal_plans", legal_plans},
          {"looked_at", shown.looked_at},
          {"plans", plans}};
}

}  // namespace

ExitCode list_plans(const PlanOptions& options, const Workload& workload, std::int64_t ranks,
                    const std::optional<Cluster>& cluster, const DeviceTraits& traits) {
  const Plan base = parse_plan(options.plan, workload.plan);
  PlanSpace space{.ranks = ranks, .global_batch = options.global_batch, .scale_up_domain = 8};
  if (cluster) space.scale_up_domain = std::max<std::int64_t>(1, cluster->scale_up_domain);
  if (space.global_batch == 0) {
    // What the workload's own plan would have on so many ranks.
    space.global_batch = filled(base, ranks).global_batch();
  }
  const Model model = sliced(workload.model, base);
  PlanEstimator estimator(workload.model, traits);
  std::vector<Row> rows;
  Progress progress;
  const std::vector<Plan> plans = legal_plans(workload.model, base, space);
  for (const Plan& plan : plans) {
    rows.push_back(row_of(plan, model, estimator, cluster));
    progress.say("{} of {} legal plans counted", rows.size(), plans.size());
  }
  if (rows.empty()) {
    if (const auto reason = why_base_illegal(workload.model, base, space)) {
      throw Error(ExitCode::kUsage,
                  fmt::format("no plan of {} on {} ranks: {}", workload.name, ranks, *reason));
    }
  }
  STEPMARK_REQUIRE(!rows.empty(),
                   "no plan of {} has {} sequences per step on {} ranks: more sequences "
                   "(--global-batch) or fewer ranks have some",
                   workload.name, space.global_batch, ranks);
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    const auto key = [](const Row& row) {
      return std::tuple(row.seconds.value_or(0), row.sent(), row.cost.state_bytes);
    };
    return key(a) < key(b);
  });
  const auto available = cluster ? cluster->memory.bytes() : std::nullopt;
  STEPMARK_REQUIRE(!options.fits || available,
                   "--fits needs --cluster with a cluster that says how much memory an "
                   "accelerator has");
  const Shown shown = first_of(rows, options, workload.model, traits, available);
  STEPMARK_REQUIRE(!shown.rows.empty(), "none of the {} legal plans fits {}", rows.size(),
                   cluster->memory.text());
  const Listed listed{.workload = workload,
                      .space = space,
                      .cluster = cluster,
                      .available = available,
                      .legal_plans = rows.size(),
                      .fits = options.fits};
  write_stdout(options.json ? json_text(to_json(shown, listed), {.indent = 2}) + "\n"
                            : to_table(shown, listed));
  return ExitCode::kOk;
}

}  // namespace stepmark
