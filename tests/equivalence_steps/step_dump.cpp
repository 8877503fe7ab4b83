// SPDX-License-Identifier: Apache-2.0
// Runs two optimizer steps on one rank and writes everything that goes in and comes out, for
// scripts/reference/torch_grads.py to recompute.
//
// usage: step_dump gpt2|llama|qk_norm|experts tied|untied ACCUMULATION CLIP DIRECTORY [VOCAB
// MULTIPLE]
//
// With VOCAB the model has that vocabulary and an MLP width that is no multiple of anything, on a
// device that wants dims padded to a multiple of MULTIPLE. No padding is written.
//
// DIRECTORY/index.json: model, plan, loss and gradient norm per step, tokens and targets
// (accumulation, micro_batch, seq), and arrays by name with shape and offset (in floats) in
// DIRECTORY/data.f32: "initial.<param>", "step<k>.grad.<param>", "step<k>.param.<param>".
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/equivalence_steps/step_run.h"

namespace stepmark {
namespace {

using nlohmann::json;

constexpr int kSteps = 2;

class Dump {
 public:
  explicit Dump(const std::string& directory)
      : directory_(directory), data_(directory + "/data.f32", std::ios::binary) {}

  void add(const std::string& name, const Param& param, const std::vector<float>& values) {
    index["arrays"].push_back(
        {{"name", name}, {"shape", {param.global_rows, param.global_cols}}, {"offset", offset_}});
    data_.write(reinterpret_cast<const char*>(values.data()),
                static_cast<std::streamsize>(values.size() * sizeof(float)));
    offset_ += values.size();
  }
  [[nodiscard]] bool close() {
    data_.close();
    std::ofstream file(directory_ + "/index.json");
    file << index.dump(1) << '\n';
    file.close();
    return data_.good() && file.good();
  }

  json index;

 private:
  std::string directory_;
  std::ofstream data_;
  std::size_t offset_ = 0;
};

json describe(const Model& m) {
  return {{"family", m.family == ModelFamily::llama ? "llama" : "gpt2"},
          {"layers", m.layers},
          {"hidden", m.hidden},
          {"heads", m.heads},
          {"kv_heads", m.kv_heads},
          {"head_dim", m.head_dim},
          {"tied", m.tied_embeddings},
          {"qk_norm", m.qk_norm},
          {"experts", m.experts},
          {"top_k", m.top_k},
          {"shared_ffn", m.shared_ffn},
          {"renormalise", m.renormalise},
          {"aux_loss", m.aux_loss},
          {"norm_eps", m.norm_eps},
          {"rope_theta", m.rope_theta}};
}

json describe(const Plan& p) {
  return {{"micro_batch", p.micro_batch},
          {"accumulation", p.accumulation},
          {"seq", p.seq},
          {"lr", p.lr},
          {"weight_decay", p.weight_decay},
          {"clip", p.clip}};
}

std::vector<std::int32_t> read_tokens(StepRun& run, const char* name) {
  const std::int32_t buffer = run.runnable().program().buffer_index(name);
  const auto elements = run.runnable().program().buffers[static_cast<std::size_t>(buffer)].elements;
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(elements));
  run.device().copy_to_host(tokens.data(), run.runnable().buffer(buffer),
                            tokens.size() * sizeof(std::int32_t));
  return tokens;
}

bool dump(const Model& model, const Plan& plan, const DeviceTraits& traits,
          const std::string& directory) {
  Dump out(directory);
  const auto self = make_self_comm();
  StepRun run(*self, model, plan, step_program(model, plan, 0, traits), traits, {.reuse = true},
              AdamWShape().eps);
  out.index["model"] = describe(model);
  out.index["plan"] = describe(plan);
  out.index["tokens"] = read_tokens(run, kTokensBuffer);
  out.index["targets"] = read_tokens(run, kTargetsBuffer);
  const auto& params = run.state().layout().params();
  for (const Param& p : params) out.add("initial." + p.name, p, run.state().param_values(p));
  for (int step = 0; step < kSteps; ++step) {
    run.step();
    out.index["loss"].push_back(run.state().loss());
    if (model.experts > 0) out.index["aux_loss"].push_back(run.state().aux_loss());
    out.index["norm"].push_back(run.state().gradient_norm());
    for (const Param& p : params) {
      const std::string name = fmt::format("step{}.", step);
      out.add(name + "grad." + p.name, p, run.state().grad_values(p));
      out.add(name + "param." + p.name, p, run.state().param_values(p));
    }
  }
  return out.close();
}

}  // namespace
}  // namespace stepmark

int main(int argc, char** argv) {
  using namespace stepmark;
  const std::vector<std::string> args(argv, argv + argc);
  if (args.size() != 6 && args.size() != 8) {
    std::fprintf(
        stderr,
        "usage: step_dump gpt2|llama|qk_norm|experts tied|untied ACCUMULATION CLIP DIRECTORY "
        "[VOCAB MULTIPLE]\n");
    return 2;
  }
  try {
    const bool padded = args.size() == 8;
    const ModelFamily family = args[1] == "gpt2" ? ModelFamily::gpt2 : ModelFamily::llama;
    const bool tied = args[2] == "tied";
    const Model model = padded                 ? odd_model(family, tied, std::stoll(args[6]))
                        : args[1] == "qk_norm" ? head_norm_model(tied)
                        : args[1] == "experts" ? shared_expert_model(tied)
                                               : equivalence_model(family, tied);
    const DeviceTraits traits{.dimension_multiple = padded ? std::stoll(args[7]) : 1};
    const Plan plan = parse_plan(fmt::format(
        "micro_batch=3,seq={},accumulation={},clip={},grad_norm=on,lr=3e-3,weight_decay=0.1",
        padded ? 8 : 20, args[3], args[4]));
    if (dump(model, resolve(plan, model, 1), traits, args[5])) return 0;
    std::fprintf(stderr, "step_dump: cannot write to %s\n", args[5].c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_dump: %s\n", error.what());
  }
  return 1;
}
