// SPDX-License-Identifier: Apache-2.0
#include "larger_pages.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "results/families/derive.h"
#include "results/history/check.h"
#include "results/history/notes.h"
#include "results/views/report/history_data.h"
#include "synthetic.h"

namespace stepmark::pages {
namespace {

constexpr int kSamples = 200;

// 4 KiB to 1 GiB of four collectives, in place and not.
void add_collectives(Run& run, double slowdown, std::uint64_t seed) {
  synthetic::Noise noise(seed);
  for (const char* kind : {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"}) {
    for (const char* placement : {"out-of-place", "in-place"}) {
      for (std::int64_t size = 4096; size <= std::int64_t{1} << 30; size *= 2) {
        const double median_s = slowdown * (18e-6 + static_cast<double>(size) / 300e9);
        run.records.push_back(synthetic::collective(
            kind, size, placement,
            synthetic::times({.median_s = median_s, .count = kSamples}, noise)));
      }
    }
  }
}

}  // namespace

void add_sizes(Run& run, double seconds) {
  constexpr std::array<std::pair<int, double>, 3> kSizes{{{4, 1.0}, {8, 0.95}, {16, 0.85}}};
  for (const auto& [gpus, efficiency] : kSizes) {
    Record step = synthetic::step("sized", std::vector<double>(20, seconds / efficiency), false);
    step.case_id = fmt::format("step/sized/dp{}", gpus);
    step.numbers = {{"tokens_per_step", 512.0 * gpus}, {"gpus", gpus}, {"ranks", gpus}};
    step.texts = {{"workload", "sized"}, {"plan", fmt::format("dp={}", gpus)}};
    derive(step);
    run.records.push_back(std::move(step));
  }
}

void declare_links(Run& run, const std::string& cluster, double scale_up, double scale_out) {
  for (Record& record : run.records) {
    if (record.text("collective").empty()) continue;
    record.texts.emplace_back("cluster", cluster);
    record.texts.emplace_back("link", "scale-up");
    record.numbers.emplace_back("scale_up_gb_per_s", scale_up);
    record.numbers.emplace_back("scale_out_gb_per_s", scale_out);
    record.numbers.emplace_back("link_gb_per_s", scale_up);
    derive(record);
  }
}

nlohmann::json history(const std::string& folder, const std::string& place,
                       const std::string& note) {
  const auto file = std::filesystem::path(folder) / "history.db";
  std::filesystem::remove(file);
  nlohmann::json out;
  {
    History kept(file.string(), History::Open::create);
    for (int night = 0; night < 30; ++night) {
      Run run = synthetic::run({.seed = 500 + static_cast<std::uint64_t>(night),
                                .name = "night",
                                .slowdown = night < 16 ? 1.0 : 1.1,
                                .kernels = false,
                                .timeline = false});
      run.header.started =
          fmt::format("2026-{:02}-{:02}T02:00:00Z", 1 + night / 20, 1 + night % 20);
      static_cast<void>(kept.add(run, {.place = place, .time = {}}));
    }
    static_cast<void>(annotate(kept, "2026-01-17T02:00:00Z", note));
    out = history_data(kept, check_history(kept));
  }
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + end);
  return out;
}

Twenty twenty(const std::string& folder) {
  Twenty out;
  for (std::size_t i = 0; i < 20; ++i) {
    const std::size_t owner = i / 5;
    const double slowdown = 1 + 0.05 * static_cast<double>(owner);
    Run run = synthetic::run({.seed = 300 + i,
                              .name = fmt::format("run{}", i),
                              .slowdown = slowdown,
                              .between_run_sd = 0.01,
                              .count = kSamples,
                              .collectives = false});
    add_collectives(run, slowdown, 700 + i);
    add_sizes(run, 0.1 * slowdown);
    const std::string name = fmt::format("provider-{}", "abcd"[owner]);
    declare_links(run, name, 450, 50);
    run.header.environment.facts.push_back({"software", "driver", fmt::format("580.{}", owner)});
    run.header.cases.clear();
    for (const Record& record : run.records) run.header.cases.push_back(record.case_id);
    out.parts.owners.push_back(name);
    out.runs.push_back(std::move(run));
  }
  out.parts.history = history(folder, "cluster", "new driver");
  return out;
}

}  // namespace stepmark::pages
