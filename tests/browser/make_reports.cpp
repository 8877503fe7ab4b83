// SPDX-License-Identifier: Apache-2.0
// Writes the pages that check.mjs opens: usage make_reports FOLDER.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/output.h"
#include "results/across/across.h"
#include "results/families/derive.h"
#include "results/money/calendar.h"
#include "results/views/json/across_json.h"
#include "results/views/report/report.h"
#include "synthetic.h"

namespace {

using namespace stepmark;

// Two providers of three runs each, one of them slower, with prices.
std::string decision_page() {
  std::vector<Provider> providers{{"<i>north</i>", {}}, {"south", {}}};
  std::vector<Run> all;
  for (std::size_t i = 0; i < 6; ++i) {
    Run one = synthetic::run(
        {.seed = 20 + i, .name = fmt::format("run{}", i), .slowdown = i < 3 ? 1.0 : 0.9});
    one.header.run_id += std::to_string(i);
    providers[i / 3].runs.push_back(one);
    all.push_back(std::move(one));
  }
  AcrossOptions how;
  how.prices = parse_prices(
      "prices: p\ncurrency: USD\nsource: s\ndate: 2026-11-01\nproviders:\n"
      "  - {provider: <i>north</i>, prices: [{kind: on-demand, per_gpu_hour: 3, goodput: 0.9}]}\n"
      "  - {provider: south, egress: {per_gb: 0.1, gb_per_month: 5000}, prices: [{kind: on-demand, "
      "per_gpu_hour: 2}]}\n",
      "p.yaml");
  how.today = *parse_day("2026-11-20");
  nlohmann::json json = to_json(across(providers, how));
  json["portfolio"] = {
      {"mix", "m"}, {"currency", "USD"}, {"prices", "on-demand"}, {"why", "<b>none</b>"}};
  return report_html(all, json);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace stepmark;
  if (argc != 2) {
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  const auto page = [&](const char* name, const std::vector<Run>& runs) {
    write_report(runs, (folder / name).string());
  };
  auto other = synthetic::run({.seed = 2, .name = "provider-b", .slowdown = 0.8, .noise = 0.4});
  other.header.environment.facts[0].value = "Another CPU 3.1 GHz";
  auto simulated = synthetic::run({.seed = 3, .name = "simulated", .timeline = false});
  for (auto& record : simulated.records) {
    record.provenance = Provenance::simulated;
  }
  auto failing = synthetic::run({.seed = 4, .name = "failing", .kernels = false});
  failing.records.front().checks = {{"all elements exact", false, "17 of 1024 wrong, first 3"}};
  failing.ended = false;
  failing.warnings = {"line 41: incomplete last line ignored"};

  page("one.html", {synthetic::run({.seed = 1, .name = "provider-a"})});
  auto published = synthetic::run({.seed = 10, .name = "published:x"});
  published.beside = true;
  for (auto& record : published.records) {
    record.provenance = Provenance::imported;
    record.texts.emplace_back("published_system", "<b>Another's</b> cluster");
    record.texts.emplace_back("not_stated", "clocks");
  }
  page("beside.html", {synthetic::run({.seed = 1, .name = "provider-a"}), published});
  write_output_file((folder / "decision.html").string(), decision_page());
  page("two.html", {synthetic::run({.seed = 1, .name = "provider-a"}), other});
  page("four.html", {synthetic::run({.seed = 1, .name = "provider-a"}), other, simulated, failing});
  page("hostile.html", {synthetic::run({.seed = 5,
                                        .name = "</script><script>document.title='owned'</script>",
                                        .hostile = true}),
                        synthetic::run({.seed = 6, .name = "b", .hostile = true})});
  page("kernels-only.html",
       {synthetic::run({.seed = 7, .name = "k", .collectives = false, .steps = false})});
  auto concurrent = synthetic::run({.seed = 9, .name = "c", .collectives = false, .steps = false});
  auto watched = synthetic::overlap(20);
  watched.numbers.emplace_back("telemetry_samples", 50);
  watched.numbers.emplace_back("gpu_power_w", 612.5);
  watched.texts.emplace_back("throttle_reasons", "sw power cap");
  auto shared = synthetic::groups(20);
  shared.case_id += "/shared";
  shared.perf_valid = false;
  shared.texts.emplace_back("topology", "single-gpu-timesliced");
  derive(shared);
  concurrent.records.insert(concurrent.records.end(), {synthetic::groups(20), watched, shared});
  page("concurrent.html", {concurrent});
  page("nothing.html", {synthetic::run({.seed = 8, .name = "none", .nothing_measured = true})});
  return 0;
}
