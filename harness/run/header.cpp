// SPDX-License-Identifier: Apache-2.0
// Facts of build, machine, MPI, transport and libraries in one environment; facts in which ranks
// differ are facts themselves. The run's id has its time and a random part, so that two runs of one
// second differ.
#include "harness/run/header.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <random>

#include "core/build_info.h"
#include "core/error.h"
#include "core/log.h"
#include "core/utf8.h"
#include "harness/backend/backends.h"
#include "harness/measure/environment_capture.h"
#include "harness/run/transport.h"
#include "results/record/flat_config.h"
#include "results/record/json_text.h"

namespace stepmark {
namespace {

std::string utc_now(const char* format) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format(fmt::runtime(fmt::format("{{:{}}}", format)), fmt::gmtime(now));
}

// Facts in which ranks differ, apart from those that are expected to (host name, load ...).
std::vector<EnvironmentFact> differences_between_ranks(Control& control, const Environment& own) {
  const auto all = control.gather(json_text(to_json(own)));
  std::map<std::pair<std::string, std::string>, std::set<std::string>> values;
  for (const std::string& text : all) {
    for (const EnvironmentFact& fact : environment_from_json(nlohmann::json::parse(text)).facts) {
      if (fact.fingerprint) values[{fact.section, fact.name}].insert(fact.value);
    }
  }
  std::vector<EnvironmentFact> facts;
  for (const auto& [key, set] : values) {
    if (set.size() < 2) continue;
    facts.push_back({.section = "placement",
                     .name = "ranks differ in " + key.second,
                     .value = fmt::format("{}", fmt::join(set, " | "))});
  }
  return facts;
}

std::string host_list(const std::vector<std::string>& hosts) {
  std::map<std::string, int> ranks;
  for (const std::string& host : hosts) ++ranks[host];
  std::string text;
  for (const auto& [host, count] : ranks) {
    text += fmt::format("{}{} x{}", text.empty() ? "" : ", ", host, count);
  }
  return text;
}

}  // namespace

RunHeader make_run_header(const RunOptions& options, const RunConfig& config, Job& job,
                          const Machine& machine, const Peers& peers, const Resources& resources) {
  Environment environment = capture_environment(job_facts());
  auto& facts = environment.facts;
  for (EnvironmentFact& fact : machine.facts()) facts.push_back(std::move(fact));
  facts.push_back({.section = "placement",
                   .name = "compute threads per rank",
                   .value = std::to_string(resources.compute_threads)});
  Transport transport = observe_transport(job, peers);
  for (EnvironmentFact& fact : transport.facts) facts.push_back(std::move(fact));
  if (job.control().rank() == 0) {
    for (const std::string& remark : transport.remarks) log_warning("{}", remark);
  }
  const std::vector<std::string> escaped = make_valid(environment);
  if (job.control().rank() == 0 && !escaped.empty()) {
    log_warning("{}: not UTF-8; recorded with the bytes shown as \\xHH", fmt::join(escaped, ", "));
  }
  for (EnvironmentFact& fact : differences_between_ranks(job.control(), environment)) {
    facts.push_back(std::move(fact));
  }
  facts.push_back({.section = "placement",
                   .name = "ranks by host",
                   .value = host_list(peers.hosts()),
                   .fingerprint = false});
  const BuildInfo& build = build_info();
  RunHeader header;
  header.run_id = fmt::format("{}-{:08x}", utc_now("%Y%m%dT%H%M%SZ"), std::random_device()());
  header.started = utc_now("%Y-%m-%dT%H:%M:%SZ");
  header.tool_version = build.version;
  header.git_revision = build.git_revision;
  header.build_type = build.build_type;
  header.dirty = build.git_dirty;
  header.command = options.command;
  header.suite = config.suite.name;
  header.backend = resolve_backend(options.backend);
  header.ranks = job.control().size();
  header.config = config.echo;
  header.environment = std::move(environment);
  for (const auto& one : config.cases) header.cases.push_back(one->id());
  return header;
}

}  // namespace stepmark
