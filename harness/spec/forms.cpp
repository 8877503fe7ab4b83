// SPDX-License-Identifier: Apache-2.0
// A table of the names under which Megatron-LM, DeepSpeed, PyTorch and papers know each form, for
// keys of plans and of models.
#include "harness/spec/forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stepmark {
namespace {

struct Form {
  std::string_view name;
  std::string_view what;
  std::string_view key;  // of a form that there is, under another name
  std::string_view of = "plan";
};

constexpr std::string_view kPipeline = "stages of a pipeline";
constexpr std::string_view kSchedules = "orders of a pipeline's micro-batches";
constexpr std::string_view kMessages = "messages between stages of a pipeline";
constexpr std::string_view kInterleaving = "interleaved stages per rank of a pipeline";
constexpr std::string_view kContext = "ranks that share sequences (context parallelism)";
constexpr std::string_view kContextKind = "exchanges between ranks that share sequences";
constexpr std::string_view kExpert = "ranks that experts are spread over (expert parallelism)";
constexpr std::string_view kExpertTensor = "ranks that each expert is split over";
constexpr std::string_view kExperts = "experts of a model (mixture of experts)";
constexpr std::string_view kTopK = "experts of a token";
constexpr std::string_view kRouting = "choices of experts";
constexpr std::string_view kTokenChunks = "gathers and scatters of tokens beside GEMMs";
constexpr std::string_view kShards = "shards of the optimizer's state (ZeRO-1)";
constexpr std::string_view kZero = "shards of gradients and parameters (ZeRO-2, ZeRO-3, FSDP)";
constexpr std::string_view kHybrid = "ranks over which ZeRO shards (hybrid sharding)";
constexpr std::string_view kReshard = "what becomes of gathered parameters (zero=3)";
constexpr std::string_view kPrefetch = "gathers of the next layer's parameters (zero=3)";
constexpr std::string_view kSync = "gradients that micro-batches add up (zero=2, 3)";
constexpr std::string_view kGather = "gathers of updated parameters (zero=1, 2)";
constexpr std::string_view kReduce = "types in which gradients are reduced";
constexpr std::string_view kRecompute = "recomputations of activations";
constexpr std::string_view kOffload = "offloading to the host";

// The names that Megatron-LM, DeepSpeed, PyTorch and papers use.
constexpr std::array<Form, 67> kForms{{{"pipeline", kPipeline, "pp"},
                                       {"pipeline_parallel", kPipeline, "pp"},
                                       {"pipeline_parallel_size", kPipeline, "pp"},
                                       {"stages", kPipeline, "pp"},
                                       {"pp_schedule", kSchedules, "schedule"},
                                       {"pipeline_schedule", kSchedules, "schedule"},
                                       {"batch_p2p_comm", kMessages, "p2p"},
                                       {"overlap_p2p_comm", kMessages, "p2p"},
                                       {"vpp", kInterleaving, "chunks"},
                                       {"interleave", kInterleaving, "chunks"},
                                       {"virtual_stages", kInterleaving, "chunks"},
                                       {"virtual_pipeline", kInterleaving, "chunks"},
                                       {"context", kContext, "cp"},
                                       {"context_parallel", kContext, "cp"},
                                       {"context_parallel_size", kContext, "cp"},
                                       {"ring", kContextKind, "cp_kind"},
                                       {"ring_attention", kContextKind, "cp_kind"},
                                       {"ulysses", kContextKind, "cp_kind"},
                                       {"cp_comm_type", kContextKind, "cp_kind"},
                                       {"edp", kExpert, "ep"},
                                       {"expert_parallel", kExpert, "ep"},
                                       {"expert_parallel_size", kExpert, "ep"},
                                       {"expert_model_parallel_size", kExpert, "ep"},
                                       {"expert_tensor_parallel", kExpertTensor, "etp"},
                                       {"expert_tensor_parallel_size", kExpertTensor, "etp"},
                                       {"moe", kExperts, "experts", "model"},
                                       {"num_experts", kExperts, "experts", "model"},
                                       {"n_experts", kExperts, "experts", "model"},
                                       {"num_local_experts", kExperts, "experts", "model"},
                                       {"topk", kTopK, "top_k", "model"},
                                       {"moe_router_topk", kTopK, "top_k", "model"},
                                       {"num_experts_per_tok", kTopK, "top_k", "model"},
                                       {"router", kRouting, "routing"},
                                       {"zipf", kRouting, "routing"},
                                       {"tp_comm_overlap", kTokenChunks, "tp_chunks"},
                                       {"async_tensor_parallel", kTokenChunks, "tp_chunks"},
                                       {"zero_1", kShards, "zero"},
                                       {"zero1", kShards, "zero"},
                                       {"zero2", kZero, "zero"},
                                       {"zero3", kZero, "zero"},
                                       {"zero_2", kZero, "zero"},
                                       {"zero_3", kZero, "zero"},
                                       {"zero_stage", kShards, "zero"},
                                       {"fsdp", kZero, "zero"},
                                       {"fsdp2", kZero, "zero"},
                                       {"fully_shard", kZero, "zero"},
                                       {"hsdp", kHybrid, "shard"},
                                       {"hybrid_shard", kHybrid, "shard"},
                                       {"dp_shard", kHybrid, "shard"},
                                       {"reshard_after_forward", kReshard, "reshard"},
                                       {"forward_prefetch", kPrefetch, "prefetch"},
                                       {"backward_prefetch", kPrefetch, "prefetch"},
                                       {"no_sync", kSync, "grad_sync"},
                                       {"overlap_param_gather", kGather, "gather"},
                                       {"reduce_dtype", kReduce, "reduce"},
                                       {"grad_reduce_dtype", kReduce, "reduce"},
                                       {"grad_reduce_in_fp32", kReduce, "reduce"},
                                       {"data_parallel_shard_degree", kHybrid, "shard"},
                                       {"distributed_optimizer", kShards, "zero"},
                                       {"use_distributed_optimizer", kShards, "zero"},
                                       {"recompute_granularity", kRecompute, "recompute"},
                                       {"remat", kRecompute, "recompute"},
                                       {"checkpointing", kRecompute, "recompute"},
                                       {"activation_checkpointing", kRecompute, "recompute"},
                                       {"gradient_checkpointing", kRecompute, "recompute"},
                                       {"offload", kOffload},
                                       {"cpu_offload", kOffload}}};

}  // namespace

std::optional<std::string> form_not_built(std::string_view name) {
  std::string plain(name);
  std::transform(plain.begin(), plain.end(), plain.begin(), [](char c) {
    if (c == '-') return '_';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  const auto* const form = std::find_if(kForms.begin(), kForms.end(),
                                        [&](const Form& one) { return one.name == plain; });
  if (form == kForms.end()) return std::nullopt;
  if (!form->key.empty()) {
    return fmt::format("{}: {} are given by the key '{}' of a {}", name, form->what, form->key,
                       form->of);
  }
  return fmt::format("{}: {} is not built yet, see docs/architecture.md", name, form->what);
}

void refuse_forms_not_built(const YamlMap& map) {
  for (const std::string& key : map.keys()) {
    if (const auto form = form_not_built(key)) map.fail(key, *form);
  }
}

}  // namespace stepmark
