// SPDX-License-Identifier: Apache-2.0
// The card. Degrees and batch come from the record's plan, which is a list of key=value.
#include <fmt/format.h>

#include <charconv>

#include "core/yaml_writer.h"
#include "results/families/family.h"
#include "results/families/step.h"
#include "results/record/common_facts.h"
#include "results/views/ccl_bench/ccl_bench.h"

namespace stepmark {
namespace {

namespace names = facts::step;

// The value of a key of the plan; empty where it has none.
std::string of_plan(const Record& step, std::string_view key) {
  for (const std::string& part : list_of(step.text(names::kPlan))) {
    if (part.starts_with(key) && part.size() > key.size() && part[key.size()] == '=')
      return part.substr(key.size() + 1);
  }
  return {};
}

std::int64_t degree(const Record& step, std::string_view key, std::int64_t fallback = 1) {
  const std::string text = of_plan(step, key);
  std::int64_t value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "NVIDIA H100 80GB HBM3" and "NVIDIA A100-SXM4-80GB" as its tools look up peaks: "nvidia_h100",
// "nvidia_a100". What is none of NVIDIA's stays as it is.
std::string gpu_model(const std::string& name) {
  constexpr std::string_view kVendor = "NVIDIA ";
  if (!name.starts_with(kVendor)) return name;
  std::string model = "nvidia_";
  for (const char c : std::string_view(name).substr(kVendor.size())) {
    if (c == ' ' || c == '-') break;
    model.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return model;
}

std::string description(const Run& run, const Record& step) {
  int failed = 0;
  for (const Check& check : step.checks) failed += check.passed ? 0 : 1;
  const Summary* time = step.summary(facts::kTimeS);
  std::string text = fmt::format(
      "{}; {} step of stepmark {} ({}), run {}. Timed without profiler: median {:.6g} s of {} "
      "samples; the trace is of one step that was instrumented.",
      step.text(facts::kTitle), name_of(step.provenance), run.header.tool_version,
      run.header.git_revision, run.header.run_id, time == nullptr ? 0.0 : time->median,
      time == nullptr ? 0 : time->count);
  text += step.checks.empty() ? " Not checked."
          : failed == 0       ? fmt::format(" {} checks passed.", step.checks.size())
                              : fmt::format(" {} of {} checks FAILED.", failed, step.checks.size());
  if (!step.perf_valid) text += " Not a performance figure: " + step.text(facts::kTopology) + ".";
  for (const std::string& label : step.labels) text += " " + label + ".";
  return text;
}

void write_model(YamlWriter& card, const Record& step, const std::optional<CclBenchModel>& model) {
  card.begin("model")
      .text("phase", "training")
      .flag("moe", false)
      .text("granularity", "model_fwd_bwd_pass")
      .text("model_family", model ? model->family : step.text(names::kWorkload))
      .text("precision", of_plan(step, "precision"))
      .number("epochs", std::int64_t{1})
      .number("iteration", std::int64_t{1});
  card.begin("model_arch");
  const auto count = [&](const char* key, std::int64_t value) {
    if (value > 0) {
      card.number(key, value);
    } else {
      card.text(key, "");
    }
  };
  count("num_params", model
                          ? model->parameters
                          : static_cast<std::int64_t>(step.number(names::kParameters).value_or(0)));
  count("num_params_embedding", model ? model->embedding_parameters : 0);
  count("num_layers", model ? model->layers : 0);
  count("num_heads", model ? model->heads : 0);
  count("head_dim", model ? model->head_dim : 0);
  card.end().end();
}

void write_hardware(YamlWriter& card, const Run& run, const Record& step,
                    const std::optional<CclBenchCluster>& cluster) {
  const Environment& environment = run.header.environment;
  const std::string gpu = environment.get("hardware", "GPU");
  card.begin("hardware").begin("network_topo");
  card.text("topology", cluster ? cluster->topology : "");
  if (cluster) {
    card.numbers("bandwidth_gbps", {cluster->scale_out_gbit_per_s, cluster->scale_up_gbit_per_s});
  } else {
    card.text("bandwidth_gbps", "");
  }
  card.end().begin("xpu_spec");
  card.text("type", gpu.empty() ? "CPU" : "GPU")
      .text("model", gpu.empty() ? environment.get("hardware", "CPU model") : gpu_model(gpu))
      .number("total_count",
              static_cast<std::int64_t>(step.number(names::kGpus).value_or(run.header.ranks)));
  if (cluster && cluster->per_node > 0) {
    card.number("count_per_node", cluster->per_node);
  } else {
    card.text("count_per_node", "");
  }
  card.end().text("driver_version", environment.get("software", "NVIDIA driver")).end();
}

void write_executor(YamlWriter& card, const Run& run, const Record& step) {
  const std::int64_t dp = degree(step, "dp");
  const bool sharded = degree(step, "zero", 0) > 0;
  card.begin("Model-executor").begin("framework");
  card.text("name", "stepmark").text("compiler_tool_selection", run.header.backend).end();
  card.begin("model_plan_parallelization")
      .number("dp_replicate", sharded ? std::int64_t{1} : dp)
      .number("dp_shard", sharded ? dp : std::int64_t{1})
      .number("tp", degree(step, "tp"))
      .number("pp", degree(step, "pp"))
      .number("cp", degree(step, "cp"))
      .number("ep", degree(step, "ep"))
      .number("pp_mb", degree(step, "accumulation"))
      .end();
  const std::string library = step.text(facts::kLibrary);
  const std::string nccl = run.header.environment.get("software", "NCCL version");
  const std::string mpi = run.header.environment.get("software", "mpi");
  card.begin("communication_library")
      .text("name", !library.empty() ? library
                    : nccl.empty()   ? "MPI"
                                     : "NCCL")
      .text("version", nccl.empty() ? mpi : nccl)
      .begin("env");
  for (const EnvironmentFact& fact : run.header.environment.facts) {
    if (fact.section == "variables" && fact.name.starts_with("NCCL_"))
      card.text(fact.name, fact.value);
  }
  card.end().end().texts("protocol_selection", {}).end();
}

}  // namespace

std::string ccl_bench_card(const Run& run, const Record& step,
                           const std::optional<CclBenchModel>& model,
                           const std::optional<CclBenchCluster>& cluster) {
  YamlWriter card;
  card.number("version", std::int64_t{1})
      .text("description", description(run, step))
      .text("hf_url", "")
      .text("trace_url", "")
      .text("contributor", "")
      .text("contact", "");
  card.begin("workload");
  write_model(card, step, model);
  const std::int64_t sequence = degree(step, "seq", 0);
  const double tokens = step.number(names::kTokensPerStep).value_or(0);
  card.begin("data");
  if (sequence > 0 && tokens > 0) {
    card.number("batch_size", static_cast<std::int64_t>(tokens) / sequence)
        .number("seq_len", sequence);
  } else {
    card.text("batch_size", "").text("seq_len", "");
  }
  card.text("dataset", "random tokens").end();
  write_hardware(card, run, step, cluster);
  card.end();
  write_executor(card, run, step);
  card.begin("metric_source").texts("traces", {"json"}).texts("metrics_specific_trace", {}).end();
  return card.finish();
}

}  // namespace stepmark
