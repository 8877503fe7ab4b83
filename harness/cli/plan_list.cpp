// SPDX-License-Identifier: Apache-2.0
// Costs of every plan by PlanEstimator. The order: what fits comes first, then what would take
// least if compute ran at the declared peak, each byte at the declared rate of its links, and
// nothing overlapped. That orders plans and predicts no time.
#include "harness/cli/plan_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/output.h"
#include "core/units.h"
#include "harness/program/plan_estimate.h"
#include "harness/program/plan_space.h"
#include "harness/program/step_facts.h"
#include "results/record/json_text.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

struct Row {
  Plan plan;
  PlanEstimate cost;
  std::map<std::string, Tier> tiers;   // by axis; empty: no cluster
  std::optional<bool> fits;            // absent: not known
  std::optional<double> seconds;       // at peak and declared rates, nothing overlapped
  double scale_up = 0, scale_out = 0;  // bytes; what crosses both counts as scale-out
};

// Bytes over a rate in GB/s; nothing where there are bytes and no rate.
std::optional<double> seconds_of(double bytes, double gb_per_s) {
  if (bytes == 0) return 0.0;
  if (gb_per_s <= 0) return std::nullopt;
  return bytes / (gb_per_s * 1e9);
}

Row row_of(const Plan& plan, const Model& model, PlanEstimator& estimator,
           const std::optional<Cluster>& cluster) {
  Row row{.plan = plan, .cost = estimator.estimate(plan), .tiers = {}, .fits = {}, .seconds = {}};
  if (!cluster) return row;
  row.tiers = tiers_of(model, plan, cluster->scale_up_domain);
  for (const auto& [axis, bytes] : row.cost.bus_bytes) {
    (row.tiers.at(axis) == Tier::scale_up ? row.scale_up : row.scale_out) += bytes;
  }
  if (const auto available = cluster->memory.bytes()) {
    row.fits = row.cost.memory_bytes <= static_cast<double>(*available);
  }
  const auto peak = cluster->peaks.flops_per_s(plan.precision);
  const auto up = seconds_of(row.scale_up, cluster->scale_up_gb_per_s);
  const auto out = seconds_of(row.scale_out, cluster->scale_out_gb_per_s);
  if (peak && up && out) {
    row.seconds = model_flops(model, plan) / static_cast<double>(plan.ranks()) / *peak /
                      (1 - row.cost.bubble) +
                  *up + *out;
  }
  return row;
}

std::string text_of(const std::optional<bool>& fits) {
  if (!fits) return "";
  return *fits ? "yes" : "no";
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

std::string to_table(const std::vector<Row>& rows, std::size_t shown, const Workload& workload,
                     const PlanSpace& space, const std::optional<Cluster>& cluster) {
  const auto fitting = std::count_if(rows.begin(), rows.end(),
                                     [](const Row& row) { return row.fits.value_or(false); });
  std::string text =
      fmt::format("{} on {} ranks{}, {} sequences per step: {} legal plans", workload.name,
                  space.ranks, cluster ? fmt::format(" of {}", cluster->name) : std::string(),
                  space.global_batch, rows.size());
  if (cluster && cluster->memory.bytes()) text += fmt::format(", {} fit", fitting);
  text += "\n\n";
  TextTable table({{.title = "plan", .align = Align::left},
                   {.title = "memory"},
                   {.title = "fits", .align = Align::left},
                   {.title = "bubble"},
                   {.title = "sent per rank and step", .align = Align::left},
                   {.title = "at rates"}});
  for (std::size_t i = 0; i < std::min(shown, rows.size()); ++i) {
    const Row& row = rows[i];
    table.add({short_name(row.plan), format_bytes(row.cost.memory_bytes), text_of(row.fits),
               fmt::format("{:.1f} %", 100 * row.cost.bubble), by_axis(row),
               row.seconds ? format_seconds(*row.seconds) : std::string("N/A")});
  }
  constexpr std::size_t kWide = 150;
  text += table.text(kWide);
  if (shown < rows.size()) {
    text += fmt::format("{} more: --top 0 shows all\n", rows.size() - shown);
  }
  return text +
         "memory: of the rank that needs most, estimated from small slices of the plan, some "
         "percent off; `plan --plan` counts it buffer by buffer\n" +
         (cluster ? "up, out, both: links of the group; at rates: compute at the declared peak, "
                    "bubble and bytes at declared rates, nothing overlapped: an order, no "
                    "prediction\n"
                  : "with --cluster: which fit, which links carry what, and an order by declared "
                    "rates\n");
}

nlohmann::json to_json(const std::vector<Row>& rows, std::size_t shown, const Workload& workload,
                       const PlanSpace& space, const std::optional<Cluster>& cluster) {
  nlohmann::json plans = nlohmann::json::array();
  for (std::size_t i = 0; i < std::min(shown, rows.size()); ++i) {
    const Row& row = rows[i];
    nlohmann::json axes = nlohmann::json::object();
    for (const auto& [axis, bytes] : row.cost.bus_bytes) {
      axes[axis] = {{"bus_bytes_per_rank", bytes}};
      const auto tier = row.tiers.find(axis);
      axes[axis]["tier"] =
          tier == row.tiers.end() ? nlohmann::json() : nlohmann::json(name_of(tier->second));
    }
    plans.push_back(
        {{"plan", to_text(row.plan)},
         {"memory_bytes_per_rank", row.cost.memory_bytes},
         {"fits", row.fits ? nlohmann::json(*row.fits) : nlohmann::json()},
         {"bubble_idle_over_total", row.cost.bubble},
         {"axes", axes},
         {"at_declared_rates_s", row.seconds ? nlohmann::json(*row.seconds) : nlohmann::json()}});
  }
  return {{"workload", workload.name},
          {"ranks", space.ranks},
          {"global_batch", space.global_batch},
          {"cluster", cluster ? nlohmann::json(cluster->name) : nlohmann::json()},
          {"legal_plans", rows.size()},
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
  for (const Plan& plan : legal_plans(workload.model, base, space)) {
    rows.push_back(row_of(plan, model, estimator, cluster));
  }
  STEPMARK_REQUIRE(!rows.empty(),
                   "no plan of {} has {} sequences per step on {} ranks: more sequences "
                   "(--global-batch) or fewer ranks have some",
                   workload.name, space.global_batch, ranks);
  const bool anything_fits = std::any_of(rows.begin(), rows.end(),
                                         [](const Row& row) { return row.fits.value_or(false); });
  if (options.fits) {
    STEPMARK_REQUIRE(cluster && cluster->memory.bytes(),
                     "--fits needs --cluster with a cluster that says how much memory an "
                     "accelerator has");
    STEPMARK_REQUIRE(anything_fits, "none of the {} legal plans fits {}", rows.size(),
                     cluster->memory.text());
    std::erase_if(rows, [](const Row& row) { return !row.fits.value_or(false); });
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    const auto key = [](const Row& row) {
      return std::tuple(!row.fits.value_or(true), row.seconds.value_or(0), row.cost.memory_bytes);
    };
    return key(a) < key(b);
  });
  const auto shown =
      options.top == 0 ? rows.size() : static_cast<std::size_t>(std::max(options.top, 0));
  write_stdout(options.json
                   ? json_text(to_json(rows, shown, workload, space, cluster), {.indent = 2}) + "\n"
                   : to_table(rows, shown, workload, space, cluster));
  return ExitCode::kOk;
}

}  // namespace stepmark
