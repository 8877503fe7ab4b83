// SPDX-License-Identifier: Apache-2.0
// Small models of both families and one object that holds a whole runnable step on the host.
#pragma once

#include <omp.h>

#include <memory>
#include <utility>

#include "collectives/comm.h"
#include "harness/exec/executor.h"
#include "harness/exec/step_state.h"
#include "harness/program/step.h"
#include "kernels/ops/optimizer.h"

namespace stepmark {

inline constexpr std::uint64_t kSeed = 20240607;

// Two layers; everything divides by 8 but the vocabulary. Query heads outnumber key/value heads in
// the llama.
inline Model equivalence_model(ModelFamily family, bool tied) {
  const bool llama = family == ModelFamily::llama;
  return {.name = llama ? "llama" : "gpt2",
          .family = family,
          .layers = 2,
          .hidden = 64,
          .heads = 16,
          .kv_heads = llama ? 8 : 16,
          .head_dim = 4,
          .ffn = llama ? 176 : 256,
          .vocab = 1001,
          .max_seq = 24,
          .tied_embeddings = tied};
}

// With norms of query and key heads, which are wider than hidden over heads (Qwen3).
inline Model head_norm_model(bool tied) {
  Model model = equivalence_model(ModelFamily::llama, tied);
  model.name = "head_norm";
  model.head_dim = 6;
  model.qk_norm = true;
  return model;
}

// With eight experts of which a token takes two, in place of an MLP, and a load-balancing loss.
inline Model expert_model(bool tied = false) {
  Model model = equivalence_model(ModelFamily::llama, tied);
  model.name = "experts";
  model.ffn = 40;
  model.experts = 8;
  model.top_k = 2;
  model.aux_loss = 0.5;
  return model;
}

// Untied the same with a shared expert, and with weights as the router has them.
inline Model shared_expert_model(bool tied) {
  Model model = expert_model(tied);
  if (tied) return model;
  model.shared_ffn = 24;
  model.renormalise = false;
  return model;
}

// Vocabularies (GPT-2's, an even one, next to nothing) and an MLP width that no device's multiple
// divides, on any of up to four ranks.
inline constexpr std::int64_t kOddVocabularies[] = {50257, 49954, 7};
inline Model odd_model(ModelFamily family, bool tied, std::int64_t vocab) {
  const bool llama = family == ModelFamily::llama;
  Model model = equivalence_model(family, tied);
  model.layers = 1;
  model.hidden = 16;
  model.heads = 8;
  model.kv_heads = llama ? 4 : 8;
  model.ffn = llama ? 44 : 60;
  model.vocab = vocab;
  return model;
}

// AdamW divides a gradient by its own size: an element whose gradient is rounding noise is moved by
// noise, a whole lr of it. With this for epsilon in all steps that are compared, what they differ
// in stays as small as in their gradients, whatever the order in which a machine adds up.
inline constexpr double kWellConditioned = 1e-6;
inline Program with_epsilon(Program program, double epsilon) {
  for (Op& op : program.ops) {
    if (!op.kernel || op.kernel->id != OpId::adamw) continue;
    auto adamw = unpack<AdamWShape>(*op.kernel);
    adamw.eps = epsilon;
    op.kernel = pack(adamw, op.kernel->dtype);
  }
  return program;
}

// A prepared step of `rank` with its state initialised. Construction is collective over `world`.
class StepRun {
 public:
  // On a device that asks for `traits`.
  StepRun(Comm& world, const Model& model, const Plan& plan, std::int32_t rank,
          const DeviceTraits& traits = kHostTraits)
      : StepRun(world, model, plan, step_program(model, plan, rank, traits), traits) {}
  // Another program of the same step.
  StepRun(Comm& world, const Model& model, const Plan& plan, Program program,
          const DeviceTraits& traits = kHostTraits, const PrepareOptions& options = {.reuse = true},
          double epsilon = kWellConditioned)
      : device_(make_host_device(1, traits)),
        executor_(make_host_executor(*device_)),
        program_(with_epsilon(std::move(program), epsilon)),
        comms_(make_comm_set(world, program_)),
        runnable_(executor_->prepare(program_, *comms_, options)),
        state_(*runnable_, *device_, model, plan, kSeed) {
    omp_set_num_threads(1);  // ranks share the cores, and the models are small
    state_.initialise();
  }

  void step() { runnable_->run(); }
  [[nodiscard]] StepState& state() { return state_; }
  [[nodiscard]] Device& device() { return *device_; }
  [[nodiscard]] Runnable& runnable() { return *runnable_; }

 private:
  std::unique_ptr<Device> device_;
  std::unique_ptr<Executor> executor_;
  Program program_;
  std::unique_ptr<CommSet> comms_;
  std::unique_ptr<Runnable> runnable_;
  StepState state_;
};

}  // namespace stepmark
