// SPDX-License-Identifier: Apache-2.0
// Reading of a mix; what refers to something else is looked up once all of it is read.
#include "results/portfolio/mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/yaml.h"

namespace stepmark {
namespace {

constexpr double kMostTokens = 1e18;
constexpr double kMostGpus = 1e7;

MixProvider read_provider(YamlMap& map) {
  MixProvider out{
      .provider = map.required_string("provider"),
      .gpus = map.required_double("gpus", {.min = 1, .max = kMostGpus}),
      .minimum_gpus = map.optional_double("minimum_gpus", 0, {.min = 0, .max = kMostGpus}),
      .committed = map.optional_bool("committed", false),
      .gpus_per_node = map.optional_int("gpus_per_node", 8, {.min = 1, .max = 1024}),
      .line = map.place("provider").line};
  if (out.minimum_gpus > out.gpus) {
    map.fail("minimum_gpus", fmt::format("{:g} GPUs are owed and {:g} can be had: expected a "
                                         "minimum of at most 'gpus'",
                                         out.minimum_gpus, out.gpus));
  }
  if (out.committed && out.minimum_gpus == 0)
    map.fail("committed", "nothing is owed without 'minimum_gpus'");
  map.finish();
  return out;
}

void require_known(const YamlMap& map, std::string_view key, const std::string& name,
                   const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  map.fail(key, fmt::format("'{}' is no provider of this mix{}", name, nearest_hint(name, known)));
}

MixWorkload read_workload(YamlMap& map, const std::vector<std::string>& providers) {
  MixWorkload out{
      .workload = map.required_string("workload"),
      .tokens_per_month = map.required_double("tokens_per_month", {.min = 1, .max = kMostTokens}),
      .deadline_days =
          map.optional_double("deadline_days", kDaysPerMonth, {.min = 0.01, .max = kDaysPerMonth}),
      .may_run_on = map.optional_strings("may_run_on"),
      .now = map.optional_string("now", ""),
      .line = map.place("workload").line};
  for (const std::string& name : out.may_run_on) require_known(map, "may_run_on", name, providers);
  if (!out.now.empty()) {
    require_known(map, "now", out.now, providers);
    if (!out.may_run_on.empty() &&
        std::find(out.may_run_on.begin(), out.may_run_on.end(), out.now) == out.may_run_on.end()) {
      map.fail("now", fmt::format("'{}' is not among 'may_run_on'", out.now));
    }
  }
  map.finish();
  return out;
}

Mix read(YamlMap map, std::string path) {
  Mix mix{.path = std::move(path),
          .name = map.required_string("mix"),
          .price_kind = map.optional_string("prices", "on-demand")};
  std::vector<std::string> names;
  for (YamlMap& one : map.optional_maps("providers")) {
    mix.providers.push_back(read_provider(one));
    const std::string& name = mix.providers.back().provider;
    if (std::find(names.begin(), names.end(), name) != names.end())
      one.fail("provider", fmt::format("'{}' stands here twice", name));
    names.push_back(name);
  }
  std::set<std::string> workloads;
  for (YamlMap& one : map.optional_maps("workloads")) {
    mix.workloads.push_back(read_workload(one, names));
    if (!workloads.insert(mix.workloads.back().workload).second) {
      one.fail("workload", fmt::format("'{}' stands here twice: add up its tokens",
                                       mix.workloads.back().workload));
    }
  }
  if (mix.providers.empty()) map.fail("providers", "no providers: expected a list of them");
  if (mix.workloads.empty()) map.fail("workloads", "no workloads: expected a list of them");
  if (mix.providers.size() > kMostProviders || mix.workloads.size() > kMostWorkloads) {
    map.fail("mix", fmt::format("expected at most {} workloads and {} providers", kMostWorkloads,
                                kMostProviders));
  }
  map.finish();
  return mix;
}

}  // namespace

Mix read_mix(const std::string& path) { return read(YamlDocument::read_file(path).map(), path); }

Mix parse_mix(std::string_view text, std::string_view name) {
  return read(YamlDocument::read_text(text, name).map(), std::string(name));
}

}  // namespace stepmark
