// SPDX-License-Identifier: Apache-2.0
// Writes the pages that check.mjs opens: usage make_reports FOLDER.
#include <filesystem>
#include <string>
#include <vector>

#include "core/output.h"
#include "decisions.h"
#include "larger_pages.h"
#include "results/families/derive.h"
#include "results/views/report/report.h"
#include "synthetic.h"

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
  write_decisions(folder);
  page("two.html", {synthetic::run({.seed = 1, .name = "provider-a"}), other});
  auto linked = synthetic::run({.seed = 11, .name = "linked"});
  pages::declare_links(linked, "<b>c</b>", 5, 0.5);
  pages::add_sizes(linked, 0.1);
  PageParts more{.history = pages::history(folder.string(),
                                           "<img src=x onerror=\"document.title='owned'\">",
                                           "<script>document.title='owned'</script>")};
  more.evidence = {{{"sha256", std::string(64, 'a')},
                    {"signatures", {{{"fingerprint", "<u>12ab</u>"}, {"trusted_as", "<u>k</u>"}}}},
                    {"note", "in <u>bundle</u>.tar, which verifies"}}};
  write_output_file((folder / "evidence.html").string(), report_html(std::vector{linked}, more));
  const auto twenty = pages::twenty(folder.string());
  write_output_file((folder / "twenty.html").string(), report_html(twenty.runs, twenty.parts));
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
