// SPDX-License-Identifier: Apache-2.0
// How a workload is spread over ranks, and with which batch and precision.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/dtype.h"
#include "harness/spec/model.h"

namespace stepmark {

// A piece of logits by default: its weight gradient's GEMM takes several times as long as
// reading and writing the gradient, on the GPUs of cluster-configs/gpus.
inline constexpr std::int64_t kLossTokens = 8192;

inline constexpr const char* kDefaultSchedule = "1f1b";

// How ranks of the context axis attend to each other's tokens (arXiv 2407.21783, section 3.3.2;
// 2310.01889; 2309.14509): allgather: keys and values of all are gathered before attention; ring:
// they travel from rank to rank, a block ahead of the attention to it; ulysses: each rank gets all
// tokens of a share of the heads.
enum class ContextKind : std::uint8_t { allgather, ring, ulysses };

// Which experts tokens go to. router: those with the largest logits, whatever comes in, so that
// buffers have room for the worst case. uniform, zipf: choices that are drawn from a seed before
// the program is built, by position in the sequence, so that runs are comparable and only what is
// due travels; weights are the router's all the same.
enum class Routing : std::uint8_t { router, uniform, zipf };

// Whether AdamW runs beside the backward pass. automatic: a run tries both forms and keeps the
// faster one; what never runs (programs built from it, costs, validation) is in the serial form.
enum class OptimizerOverlap : std::uint8_t { automatic, off, on };

// end: a step ends with whole parameters. forward: it begins with shards, which are gathered beside
// the forward pass (Megatron-LM's overlap_param_gather); what a step leaves are shards again.
enum class ParamGather : std::uint8_t { end, forward };

// What of a layer's forward pass is computed again before its backward pass instead of being kept
// (arXiv 2205.05198; what each keeps is in docs/measuring.md). none: nothing. selective: what is
// large and takes no GEMM: outputs of norms and of the activation. full: all but the layer's input,
// its communication included.
enum class Recompute : std::uint8_t { none, selective, full };

// When ZeRO-2 and 3 reduce gradients: with every micro-batch, or once per step, until when a rank
// adds up whole ones (what PyTorch calls no_sync).
enum class GradSync : std::uint8_t { every, last };

// How stages of a pipeline send. single: every message by itself, on a stream of its link and
// direction, received a slot ahead. batched: what a slot sends and what the next one begins with in
// one call, behind the slot (Megatron-LM's batch_p2p_comm).
enum class StageMessages : std::uint8_t { single, batched };

struct Plan {
  std::int64_t dp = 0;  // 0: whatever the world size leaves over
  std::int64_t tp = 1;
  std::int64_t cp = 1;                           // ranks that share each sequence
  ContextKind cp_kind = ContextKind::allgather;  // what they exchange
  std::int64_t pp = 1;                           // stages of the pipeline
  std::string schedule = kDefaultSchedule;       // of its micro-batches (harness/program/schedule)
  std::int64_t chunks = 1;                       // of the model's layers on each stage
  StageMessages p2p = StageMessages::single;
  bool sequence_parallel = false;
  // Whether sums over tensor-parallel ranks of a linear layer's input gradients run beside the GEMM
  // of its weight gradients (Megatron-LM's asynchronous all-reduce), or are waited for.
  bool tp_overlap = true;
  // With sequence parallelism: pieces of a rank's tokens in which they are gathered in front of a
  // linear layer, and scattered behind one, each beside the GEMM of the piece before.
  std::int64_t tp_chunks = 1;
  // Of a model with experts: ranks that they are spread over, among those that hold the same dense
  // parameters (dp x cp; with etp=1 x tp as well), and ranks that each is split over: tp, or 1.
  std::int64_t ep = 1;
  std::int64_t etp = 0;  // 0: as tp
  Routing routing = Routing::router;
  double routing_exponent = 1.0;  // zipf: the r-th expert is chosen in proportion to r^-exponent
  std::int64_t routing_seed = 1;  // uniform and zipf
  // ZeRO (arXiv 1910.02054). 1: each data-parallel rank has the optimizer's state of its shard of
  // the parameters. 2: and of the gradients no more than that. 3: and of the parameters (FSDP).
  // 0: each has all of it.
  std::int64_t zero = 0;
  // Of the ranks that hold the same parameters (dp x cp), those over which that is spread; further
  // ones hold the same shards (hybrid sharding). 0: all.
  std::int64_t shard = 0;
  // zero=3: whether the layers' parameters are dropped after each use, or gathered once per step.
  bool reshard = true;
  // zero=3: whether the next layer's parameters are gathered while a layer computes.
  bool prefetch = true;
  GradSync grad_sync = GradSync::every;  // zero=2 and 3
  // zero=1 and 2: when updated parameters are gathered.
  ParamGather gather = ParamGather::end;
  // In which type gradients travel between data-parallel ranks: fp32 or bf16.
  DType reduce = DType::f32;
  Recompute recompute = Recompute::none;
  std::int64_t micro_batch = 1;   // sequences per data-parallel rank and micro-step
  std::int64_t accumulation = 1;  // micro-steps per optimizer step: a pipeline's micro-batches
  std::int64_t seq = 0;           // tokens per sequence; 0: the model's max_seq
  std::int64_t layers = 0;        // > 0: run a slice with this many of the model's layers
  DType precision = DType::f32;   // storage of parameters and activations: fp32 or bf16
  // Pieces, by tokens, in which a micro-step's logits are computed and used up; 0: the default of
  // loss_tokens().
  std::int64_t loss_chunks = 0;
  double bucket_mib = 25.0;  // data-parallel gradient bucket (PyTorch DDP's default)
  double lr = 1e-3;
  double weight_decay = 0.1;
  double clip = 1.0;  // maximum global gradient norm; 0: no clipping
  OptimizerOverlap optimizer_overlap = OptimizerOverlap::automatic;
  bool grad_norm = false;  // compute the norm of the gradient even where nothing clips by it

  bool operator==(const Plan&) const = default;

  [[nodiscard]] std::int64_t ranks() const { return tp * cp * dp * pp; }
  // Ranks that hold the same parameters and see other tokens.
  [[nodiscard]] std::int64_t gradient_ways() const { return dp * cp; }
  // Ranks over which ZeRO spreads what it spreads, and how many times they are there.
  [[nodiscard]] std::int64_t shard_ways() const;
  [[nodiscard]] std::int64_t shard_replicas() const { return gradient_ways() / shard_ways(); }
  [[nodiscard]] std::int64_t expert_tensor() const { return etp > 0 ? etp : tp; }
  // Whether tensor-parallel ranks route a share of their tokens each, as each has whole experts.
  [[nodiscard]] bool routes_shares() const { return expert_tensor() != tp; }
  // Whether experts are held by other ranks than dense parameters.
  [[nodiscard]] bool spreads_experts() const { return ep > 1 || routes_shares(); }
  // Whether ranks send, receive and keep as many rows as a seed has their experts chosen.
  [[nodiscard]] bool routes_by_seed() const {
    return spreads_experts() && routing != Routing::router;
  }
  // Of a sequence, and of a micro-step, what a rank has of them, tensor-parallel ranks together.
  [[nodiscard]] std::int64_t rank_seq() const { return seq / cp; }
  [[nodiscard]] std::int64_t rank_tokens() const { return micro_batch * rank_seq(); }
  // Gradients are reduced layer by layer after each backward pass, of which a rank keeps its shard;
  // parameters are there as shards between uses.
  [[nodiscard]] bool shards_gradients() const { return zero >= 2 && shard_ways() > 1; }
  [[nodiscard]] bool shards_parameters() const { return zero == 3 && shard_ways() > 1; }
  // Such gradients are reduced with every micro-batch.
  [[nodiscard]] bool reduces_every_pass() const {
    return shards_gradients() && grad_sync == GradSync::every;
  }
  // Of the model: what each stage of the pipeline has are `chunks` of them.
  [[nodiscard]] std::int64_t model_stages() const { return pp * chunks; }
  // The same global batch on one rank.
  [[nodiscard]] Plan on_one_rank() const;
  [[nodiscard]] std::int64_t global_batch() const { return micro_batch * accumulation * dp; }
  [[nodiscard]] std::int64_t tokens_per_step() const { return global_batch() * seq; }
  // Tokens of a micro-step whose logits are in memory at once. Each piece but the first reads and
  // writes the fp32 gradient of the output head once more, so that pieces shall be long: by default
  // the fewest of at most kLossTokens tokens.
  [[nodiscard]] std::int64_t loss_tokens() const;
  [[nodiscard]] bool computes_norm() const { return clip > 0 || grad_norm; }
};

// Overlays "dp=2,tp=2,sp=on,..." on `base`. Keys: dp tp cp cp_kind pp schedule chunks p2p
// sp tp_overlap tp_chunks ep etp routing routing_exponent routing_seed zero shard reshard prefetch
// grad_sync gather reduce recompute micro_batch accumulation seq layers precision loss_chunks
// bucket_mib lr weight_decay clip optimizer_overlap grad_norm. Error(kUsage) names the column and
// the nearest key that is still free; `source` is where the text comes from.
[[nodiscard]] Plan parse_plan(std::string_view text, Plan base = {},
                              std::string_view source = "--plan");
// The same keys as a YAML map.
[[nodiscard]] Plan read_plan(YamlMap map, Plan base = {});
// Canonical text, keys in fixed order; parse_plan(to_text(p)) == p. cp, cp_kind, pp, schedule,
// chunks, p2p, tp_overlap, tp_chunks, ep and what goes with it, zero and what goes with it,
// recompute, optimizer_overlap and grad_norm stand in it where they differ from their defaults:
// earlier builds, whose records have the same text for the same work, do not know them.
[[nodiscard]] std::string to_text(const Plan& plan);
// "tp=2,dp=4"; "tp2.dp4"; "tp=2 dp=4". With cp and pp where there are any.
[[nodiscard]] std::string degrees_text(const Plan& plan, std::string_view equals = "=",
                                       std::string_view separator = ",");
// `plan` with the data-parallel degree that fills `world_size`, where it has none.
[[nodiscard]] Plan filled(Plan plan, std::int64_t world_size);
// Short form for case names: "tp2.dp2.mb4.seq64.fp32", with ".cp2", ".ring", ".ulysses", ".pp2",
// ".gpipe", ".v2", ".batched" (p2p), ".sp", ".waits" (tp_overlap=off), ".tc4" (tp_chunks),
// ".ep2", ".etp1", ".uniform", ".zipf1", ".zero1", ".shard4", ".noreshard", ".noprefetch",
// ".nosync" (grad_sync=last), ".ahead" (gather=forward), ".rbf16" (reduce), ".selective",
// ".recompute" (full), ".acc4", ".L2", ".lc4", ".overlap" or ".serial" (the form of the optimizer
// that was asked for) before the dtype when they differ from the defaults.
[[nodiscard]] std::string short_name(const Plan& plan);

// "allgather", "ring", "ulysses".
[[nodiscard]] std::string_view name_of(ContextKind kind);
// "router", "uniform", "zipf".
[[nodiscard]] std::string_view name_of(Routing routing);
// "end", "forward".
[[nodiscard]] std::string_view name_of(ParamGather gather);
// "every", "last".
[[nodiscard]] std::string_view name_of(GradSync sync);
// "single", "batched".
[[nodiscard]] std::string_view name_of(StageMessages messages);
// "none", "selective", "full".
[[nodiscard]] std::string_view name_of(Recompute recompute);
// "auto", "off", "on".
[[nodiscard]] std::string_view name_of(OptimizerOverlap overlap);

// Why the plan cannot run, or nothing. Pure arithmetic; `world_size` ranks.
[[nodiscard]] std::optional<std::string> why_illegal(const Plan& plan, const Model& model,
                                                     std::int64_t world_size);
// Fills dp and seq from world size and model where they are 0, then checks; Error(kUsage) with the
// reason.
[[nodiscard]] Plan resolve(Plan plan, const Model& model, std::int64_t world_size);
// The model that runs: `layers` of the plan applied.
[[nodiscard]] Model sliced(const Model& model, const Plan& plan);

}  // namespace stepmark
