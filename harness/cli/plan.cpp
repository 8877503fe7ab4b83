// SPDX-License-Identifier: Apache-2.0
// The command `plan`: what a workload under a plan will do, without running anything.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/output.h"
#include "core/units.h"
#include "harness/backend/backends.h"
#include "harness/cli/commands.h"
#include "harness/cli/plan_activations.h"
#include "harness/cli/plan_list.h"
#include "harness/cli/plan_pipeline.h"
#include "harness/program/routing.h"
#include "harness/program/step.h"
#include "harness/program/step_facts.h"
#include "harness/program/text.h"
#include "harness/program/validate_step.h"
#include "harness/spec/data_files.h"
#include "harness/spec/memory_lever.h"
#include "results/record/json_text.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

struct Facts {
  Workload workload;
  Plan plan;
  Model model;
  DeviceTraits traits;
  Program program;  // of rank 0
  StepFacts step;   // the same
  PipelineFacts pipeline;
  Program with_loss;  // of a rank of the last stage
  std::optional<Cluster> cluster;
  StepValidation validation;
  Program overlapped;           // the same in the overlapped form of the optimizer
  std::int64_t most_bytes = 0;  // planned peak of the rank that needs most
  // Whether ranks are told apart by what they have of the pipeline or of the tokens' choices.
  [[nodiscard]] bool ranks_differ() const {
    return !pipeline.stages.empty() || plan.routes_by_seed();
  }
};

ParamLayout layout_of(const Facts& facts) { return {facts.model, facts.plan, 0, facts.traits}; }

// The change that makes a plan fit which does not.
std::optional<MemoryLever> lever_of(const Facts& facts, std::int64_t available) {
  const std::int64_t tp_limit = std::max<std::int64_t>(facts.cluster->scale_up_domain, 1);
  return memory_lever(facts.workload.model, facts.plan, available, tp_limit, [&](const Plan& plan) {
    return step_memory_bytes(facts.workload.model, plan, facts.traits);
  });
}

// What the plan needs against what the cluster has, in one unit.
std::string fit_text(const Facts& facts) {
  const auto available = facts.cluster->memory.bytes();
  if (!available) {
    return fmt::format("{} does not say how much memory an accelerator has\n", facts.cluster->name);
  }
  const std::int64_t needed = facts.most_bytes;
  const auto [need, have] =
      format_bytes_alike(static_cast<double>(needed), static_cast<double>(*available));
  std::string text =
      fmt::format("{} has {} per accelerator ({}), the plan needs {}: ", facts.cluster->name, have,
                  facts.cluster->memory.mib > 0
                      ? fmt::format("{} MiB as the driver reports it", facts.cluster->memory.mib)
                      : fmt::format("\"{:g} GB\" read as 1e9 bytes each", facts.cluster->memory.gb),
                  need);
  if (needed <= *available) {
    return text + "fits, if driver, CUDA and NCCL take no more than the difference\n";
  }
  text += "DOES NOT FIT\n";
  const auto lever = lever_of(facts, *available);
  if (!lever) return text + "no change of the plan makes it fit, not even a slice of one layer\n";
  const std::string on = lever->ranks == facts.plan.ranks()
                             ? std::string()
                             : fmt::format(" on {} ranks", lever->ranks);
  text += fmt::format(
      "fits with {}{}: {} ({})\n", lever->change, on,
      format_bytes_alike(static_cast<double>(lever->bytes), static_cast<double>(*available)).first,
      lever->what);
  return text +
         (layout_of(facts).state().axis.empty()
              ? "more data-parallel ranks would not help: each keeps all of its share of the "
                "model\n"
              : fmt::format("more data-parallel ranks would save {} alone, of which each keeps a "
                            "shard\n",
                            facts.plan.shards_parameters()
                                ? "parameters, gradients and optimizer state"
                            : facts.plan.shards_gradients() ? "gradients and optimizer state"
                                                            : "optimizer state"));
}

nlohmann::json fit_json(const Facts& facts) {
  const auto available = facts.cluster->memory.bytes();
  nlohmann::json fit{{"cluster", facts.cluster->name}, {"available_bytes", nullptr}};
  if (!available) return fit;
  fit["available_bytes"] = *available;
  fit["fits"] = facts.most_bytes <= *available;
  if (fit["fits"]) return fit;
  const auto lever = lever_of(facts, *available);
  if (!lever) return fit;
  fit["fits_with"] = {
      {"plan", to_text(lever->plan)}, {"ranks", lever->ranks}, {"needed_bytes", lever->bytes}};
  return fit;
}

nlohmann::json dims_json(const std::vector<PaddedDim>& dims) {
  nlohmann::json json = nlohmann::json::array();
  for (const PaddedDim& dim : dims) {
    json.push_back({{"name", dim.name}, {"width", dim.width}, {"stored", dim.stored}});
  }
  return json;
}

nlohmann::json padding_json(const Facts& facts) {
  const Padding& padding = facts.step.padding;
  return {{"multiple", facts.traits.dimension_multiple},
          {"dims", dims_json(padding.dims)},
          {"parameters_per_rank", padding.parameters},
          {"memory_bytes_per_rank", padding.memory_bytes},
          {"flops_per_rank", padding.flops},
          {"flops_share", padding.flops_share()},
          {"misaligned", dims_json(padding.unaligned)}};
}

std::string padding_text(const Facts& facts) {
  const Padding& padding = facts.step.padding;
  std::string text;
  if (!padding.dims.empty()) {
    text += fmt::format(
        "padding for aligned GEMMs: {} per rank; {} parameters, {} per rank, {:.2f} % of the "
        "kernels' FLOPs\n",
        to_text(padding.dims), padding.parameters,
        format_bytes(static_cast<double>(padding.memory_bytes)), 100 * padding.flops_share());
  } else if (facts.traits.dimension_multiple > 1) {
    text += fmt::format("no padding: dims are multiples of {}\n", facts.traits.dimension_multiple);
  }
  if (!padding.unaligned.empty()) {
    text += fmt::format(
        "MISALIGNED: rows of {} per rank are no multiple of {} bytes; their GEMMs are slow\n",
        to_text(padding.unaligned), facts.traits.row_bytes);
  }
  return text;
}

// What holding the logits of loss_tokens() tokens at a time, rather than of a micro-step, saves.
struct LogitsMemory {
  std::int64_t tokens, pieces;
  std::int64_t bytes, whole_bytes;  // of a rank
};
LogitsMemory logits_memory(const Facts& facts) {
  const std::int64_t all = facts.plan.rank_tokens();
  const std::int64_t tokens = facts.plan.loss_tokens();
  const std::int32_t index = facts.with_loss.buffer_index("logits");
  const BufferDecl& buffer = facts.with_loss.buffers[static_cast<std::size_t>(index)];
  const std::int64_t bytes = buffer.elements * static_cast<std::int64_t>(size_of(buffer.dtype));
  return {tokens, (all + tokens - 1) / tokens, bytes, bytes / tokens * all};
}

std::string logits_text(const Facts& facts) {
  const LogitsMemory m = logits_memory(facts);
  const std::string size = format_bytes(static_cast<double>(m.bytes));
  // Only the last stage has some, and rank 0 may not be of it.
  const std::int32_t rank = facts.with_loss.rank;
  const std::string whose =
      rank == 0 ? "logits" : fmt::format("logits (of rank {}; rank 0 has none)", rank);
  if (m.pieces == 1) {
    return fmt::format(
        "{}: {} of the activations, their gradient in the same memory; loss_chunks=N keeps an "
        "N-th\n",
        whose, size);
  }
  return fmt::format("{}: {} in {} pieces of {} tokens, {} saved of {} in one piece\n", whose, size,
                     m.pieces, m.tokens, format_bytes(static_cast<double>(m.whole_bytes - m.bytes)),
                     format_bytes(static_cast<double>(m.whole_bytes)));
}

// Of what a rank updates, the share that it updates beside the backward pass in the overlapped
// form.
double early_share(const Facts& facts) {
  std::int64_t early = 0, all = 0;
  for (const Op& op : facts.overlapped.ops) {
    if (!op.kernel || op.kernel->id != OpId::adamw) continue;
    const std::int64_t elements = dim_of(*op.kernel, "elements");
    const auto stream = static_cast<std::size_t>(op.stream);
    if (facts.overlapped.streams[stream] == kOptimizerStream) early += elements;
    all += elements;
  }
  return static_cast<double>(early) / static_cast<double>(all);
}

std::string sharding_text(const Facts& facts) {
  const ParamLayout layout = layout_of(facts);
  const StateSharding& state = layout.state();
  if (state.axis.empty()) return "";
  if (state.ways == 1) return "; its state whole: there is one rank to shard it over";
  const Plan& plan = facts.plan;
  const char* reduced = "";
  if (plan.shards_gradients()) {
    reduced = plan.reduces_every_pass()
                  ? " layer by layer in every micro-step, and kept as shards"
                  : " layer by layer in the last micro-step, added up whole until then";
  }
  std::string experts;
  for (const ParamSection& section : layout.sections()) {
    if (!section.expert) continue;
    experts = section.state.ways == 1 ? ", that of experts whole"
                                      : fmt::format(", that of experts over {} ({})",
                                                    section.state.ways, section.state.axis);
  }
  std::string text = fmt::format(
      "; its state sharded over {} ranks ({}){}, {} each: gradients are reduce-scattered{}, ",
      state.ways, state.axis, experts,
      format_bytes(static_cast<double>(facts.step.optimizer_bytes)), reduced);
  if (plan.shards_parameters()) {
    text += fmt::format("parameters gathered {}, {}",
                        plan.reshard ? "before each use" : "once per step",
                        plan.prefetch ? "one layer ahead" : "none ahead");
  } else {
    text += plan.gather == ParamGather::forward
                ? "updated parameters gathered beside the next step's forward pass"
                : "updated parameters gathered";
  }
  if (plan.shard_replicas() > 1) {
    text += fmt::format("; {} groups hold the same shards, whose gradients are all-reduced",
                        plan.shard_replicas());
  }
  if (plan.reduce != DType::f32) text += fmt::format("; reduced in {}", name_of(plan.reduce));
  return text;
}

std::string optimizer_text(const Facts& facts) {
  const Plan& plan = facts.plan;
  std::string text =
      fmt::format("optimizer: AdamW, optimizer_overlap={}", name_of(plan.optimizer_overlap));
  if (!optimizer_beside_backward(facts.overlapped)) {
    text += " (nothing to overlap: gradients are final with the last one)";
  } else if (plan.optimizer_overlap == OptimizerOverlap::automatic) {
    text += " (a run tries the serial and the overlapped form and keeps the faster)";
  }
  if (plan.clip > 0) {
    text += fmt::format("; gradient norm computed, clipped to {}", plan.clip);
    if (optimizer_beside_backward(facts.overlapped)) {
      text += "; overlapped, the norm is added up beside the backward pass";
    }
  } else {
    text += plan.grad_norm ? "; gradient norm computed, not clipped" : "; no gradient norm";
    if (optimizer_beside_backward(facts.overlapped)) {
      text += fmt::format(
          "; overlapped, {:.0f} % of the parameters are updated beside the backward pass",
          100 * early_share(facts));
    }
  }
  return text + sharding_text(facts) + "\n";
}

// Where tokens go, and how unevenly.
std::string routing_text(const Facts& facts) {
  const Plan& plan = facts.plan;
  if (facts.model.experts == 0) return "";
  std::string text = fmt::format("experts: {} in each layer, {} of a token", facts.model.experts,
                                 facts.model.top_k);
  if (plan.ep > 1) text += fmt::format(", spread over {} ranks", plan.ep);
  if (plan.routing == Routing::router) {
    return text + (plan.ep > 1
                       ? "; chosen by the router: each rank sends and receives rows for the "
                         "worst case, of which it fills some\n"
                       : "; chosen by the router\n");
  }
  const RoutingLoad load = routing_load(facts.model, plan);
  text += fmt::format(
      "; chosen by seed {}, {}: the busiest expert of a layer has {:.2f} times the "
      "mean of rows",
      plan.routing_seed,
      plan.routing == Routing::zipf ? fmt::format("zipf with exponent {}", plan.routing_exponent)
                                    : "uniform",
      load.of_expert);
  if (plan.ep > 1) text += fmt::format(", the busiest rank {:.2f} times", load.of_rank);
  return text + "\n";
}

nlohmann::json routing_json(const Facts& facts) {
  const Plan& plan = facts.plan;
  nlohmann::json json{{"experts", facts.model.experts},
                      {"top_k", facts.model.top_k},
                      {"ranks", plan.ep},
                      {"routing", name_of(plan.routing)}};
  if (plan.routing == Routing::router) return json;
  const RoutingLoad load = routing_load(facts.model, plan);
  json["busiest_expert_over_mean"] = load.of_expert;
  json["busiest_rank_over_mean"] = load.of_rank;
  return json;
}

constexpr std::array kKinds{BufferKind::param,      BufferKind::grad,      BufferKind::optimizer,
                            BufferKind::activation, BufferKind::workspace, BufferKind::input,
                            BufferKind::scalar};

nlohmann::json to_json(const Facts& facts) {
  nlohmann::json memory;
  for (const BufferKind kind : kKinds) {
    memory[std::string(name_of(kind))] = memory_bytes(facts.program, kind);
  }
  memory["buffers"] = facts.step.buffer_bytes;
  memory["total"] = facts.step.peak_bytes;
  memory["most"] = facts.most_bytes;
  const LogitsMemory logits = logits_memory(facts);
  nlohmann::json traffic = nlohmann::json::object();
  for (const auto& [axis, t] : facts.step.traffic) {
    traffic[axis] = {{"ranks", t.ranks}, {"calls", t.calls}, {"bus_bytes_per_rank", t.bus_bytes}};
  }
  nlohmann::json json{{"workload", facts.workload.name},
                      {"plan", to_text(facts.plan)},
                      {"parameters", facts.model.parameters()},
                      {"tokens_per_step", facts.plan.tokens_per_step()},
                      {"model_flops_per_step", facts.step.model_flops},
                      {"model_flops_causal_per_step", facts.step.causal_model_flops},
                      {"kernel_flops_per_rank", facts.step.padding.model_kernel_flops},
                      {"padding", padding_json(facts)},
                      {"memory_bytes_per_rank", memory},
                      {"logits",
                       {{"rank", facts.with_loss.rank},
                        {"tokens", logits.tokens},
                        {"pieces", logits.pieces},
                        {"bytes", logits.bytes},
                        {"saved_bytes", logits.whole_bytes - logits.bytes}}},
                      {"activations", activations_json(facts.plan, facts.program)},
                      {"communication", traffic},
                      {"experts", routing_json(facts)},
                      {"optimizer",
                       {{"overlap", name_of(facts.plan.optimizer_overlap)},
                        {"beside_backward", optimizer_beside_backward(facts.overlapped)},
                        {"updated_beside_backward", early_share(facts)},
                        {"gradient_norm", facts.plan.computes_norm()},
                        {"clipped", facts.plan.clip > 0},
                        {"state_shards", layout_of(facts).state().ways},
                        {"state_replicas", facts.plan.zero > 0 ? facts.plan.shard_replicas() : 1},
                        {"gradients_sharded", facts.plan.shards_gradients()},
                        {"parameters_sharded", facts.plan.shards_parameters()},
                        {"gradients_reduced_in", name_of(facts.plan.reduce)}}},
                      {"ops_per_rank", facts.program.ops.size()},
                      {"validated_all_ranks", facts.validation.whole},
                      {"validated",
                       {{"ranks", facts.validation.ranks},
                        {"roles", facts.validation.roles},
                        {"micro_steps", facts.validation.micro_steps},
                        {"layers", facts.validation.layers}}}};
  if (facts.pipeline.stages.size() > 1) {
    json["pipeline"] = pipeline_json(facts.plan, facts.pipeline);
  }
  if (facts.cluster) json["memory"] = fit_json(facts);
  return json;
}

std::string what_was_checked(const StepValidation& done) {
  if (done.whole) return "all ranks checked";
  return fmt::format("all ranks checked over {} micro-steps and {} layers, which the others repeat",
                     done.micro_steps, done.layers);
}

std::string to_table(const Facts& facts) {
  const Mesh mesh = step_mesh(facts.plan);
  std::string text = fmt::format("{}: {}\nplan: {}\n", facts.workload.name,
                                 facts.workload.description, to_text(facts.plan));
  if (facts.plan.layers > 0) {
    text += fmt::format("slice: {} of {} layers, same shapes per rank\n", facts.plan.layers,
                        facts.workload.model.layers);
  }
  text += fmt::format(
      "{} parameters, {} tokens per step\n{}FLOP of the model per step (6N + 12LHQT), {}FLOP with "
      "attention counted causally\n",
      format_count(static_cast<double>(facts.model.parameters())), facts.plan.tokens_per_step(),
      format_count(facts.step.model_flops), format_count(facts.step.causal_model_flops));
  text += routing_text(facts);
  text += optimizer_text(facts);
  text += fmt::format("mesh: {} ranks", mesh.size());
  for (const MeshAxis& axis : mesh.axes()) text += fmt::format(", {} {}", axis.name, axis.degree);
  text += " (first axis: neighbouring ranks)\n\n";

  TextTable memory({{.title = facts.ranks_differ() ? "memory of rank 0" : "memory per rank",
                     .align = Align::left},
                    {.title = "size"}});
  for (const BufferKind kind : kKinds) {
    memory.add({std::string(name_of(kind)),
                format_bytes(static_cast<double>(memory_bytes(facts.program, kind)))});
  }
  memory.add({"sum of buffers", format_bytes(static_cast<double>(facts.step.buffer_bytes))});
  memory.add({"planned peak", format_bytes(static_cast<double>(facts.step.peak_bytes))});
  if (facts.ranks_differ()) {
    memory.add(
        {"of the rank that needs most", format_bytes(static_cast<double>(facts.most_bytes))});
  }
  text += memory.text();
  text += padding_text(facts);
  text += activations_text(facts.plan, facts.program, sets_in_flight(facts.plan, 0));
  text += logits_text(facts);
  text += pipeline_text(facts.plan, facts.pipeline);
  if (facts.cluster) text += fit_text(facts);
  const auto traffic = facts.step.traffic;
  if (traffic.empty()) {
    text += "\nno communication: one rank\n";
  } else {
    TextTable table(
        {{.title = "axis", .align = Align::left},
         {.title = "ranks"},
         {.title = "calls per step", .align = Align::left},
         {.title = facts.ranks_differ() ? "sent by rank 0 per step" : "sent per rank and step"}});
    for (const auto& [axis, t] : traffic) {
      std::string calls;
      for (const auto& [verb, count] : t.calls) {
        calls += fmt::format("{}{} {}", calls.empty() ? "" : ", ", count, verb);
      }
      table.add({axis, std::to_string(t.ranks), calls, format_bytes(t.bus_bytes)});
    }
    text += fmt::format("\n{}", table.text());
  }
  text += fmt::format(
      "\nprogram: {} ops per rank on {} streams; {}: same collectives in the same "
      "order, no deadlock\n",
      facts.program.ops.size(), facts.program.streams.size(), what_was_checked(facts.validation));
  return text;
}

// The cluster's accelerators, else what `run` would take here, unless the user says otherwise.
DeviceTraits traits_of(const PlanOptions& options, const std::optional<Cluster>& cluster) {
  if (options.backend == "auto" && cluster) return traits_of(*cluster);
  const auto traits = traits_of_backend(options.backend == "auto" ? resolve_backend(options.backend)
                                                                  : options.backend);
  STEPMARK_REQUIRE(traits, "--backend: there is no '{}'; there are host and cuda", options.backend);
  return *traits;
}

std::int64_t ranks_of(const PlanOptions& options, const std::optional<Cluster>& cluster) {
  if (options.nodes == 0) return options.ranks;
  STEPMARK_REQUIRE(cluster, "--nodes {}: of which cluster? Name it with --cluster, or give --ranks",
                   options.nodes);
  return options.nodes * cluster->accelerators_per_node;
}

}  // namespace

ExitCode plan_command(const PlanOptions& options) {
  Facts facts;
  facts.workload = read_workload(find_file("workloads", options.workload));
  if (!options.cluster.empty())
    facts.cluster = read_cluster(find_file("clusters", options.cluster));
  facts.traits = traits_of(options, facts.cluster);
  const std::int64_t ranks = ranks_of(options, facts.cluster);
  if (options.list) return list_plans(options, facts.workload, ranks, facts.cluster, facts.traits);
  facts.plan = resolve(parse_plan(options.plan, facts.workload.plan), facts.workload.model, ranks);
  facts.model = sliced(facts.workload.model, facts.plan);
  STEPMARK_REQUIRE(options.program_of < ranks, "--program {}: there are ranks 0 to {}",
                   options.program_of, ranks - 1);
  if (options.program_of >= 0) {
    const std::string text =
        to_text(step_program(facts.model, facts.plan, options.program_of, facts.traits));
    write_stdout(text);
    return ExitCode::kOk;
  }
  facts.program = step_program(facts.model, facts.plan, 0, facts.traits);
  const StepMesh mesh(facts.plan);
  facts.with_loss = mesh.has_loss(0)
                        ? facts.program
                        : step_program(facts.model, facts.plan,
                                       mesh.first_rank_of(mesh.stages() - 1), facts.traits);
  if (mesh.stages() > 1) {
    facts.pipeline = pipeline_facts(facts.workload.model, facts.plan, facts.traits);
  }
  facts.validation = validate_step(facts.model, facts.plan, facts.traits, &facts.program);
  Plan overlapped = facts.plan;
  overlapped.optimizer_overlap = OptimizerOverlap::on;
  facts.overlapped = step_program(facts.model, overlapped, 0, facts.traits);
  const bool tries_both = facts.plan.optimizer_overlap == OptimizerOverlap::automatic;
  facts.step = facts_of_step(facts.model, facts.plan, facts.program, facts.traits,
                             tries_both ? &facts.overlapped : nullptr);
  if (tries_both) {
    static_cast<void>(validate_step(facts.model, overlapped, facts.traits, &facts.overlapped));
  }
  facts.most_bytes = std::max(facts.step.peak_bytes, facts.pipeline.most_bytes());
  if (mesh.stages() == 1 && facts.plan.routes_by_seed()) {
    facts.most_bytes = step_memory_bytes(facts.workload.model, facts.plan, facts.traits);
  }
  const std::string text =
      options.json ? json_text(to_json(facts), {.indent = 2}) + "\n" : to_table(facts);
  write_stdout(text);
  return ExitCode::kOk;
}

}  // namespace stepmark
