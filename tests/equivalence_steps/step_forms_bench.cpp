// SPDX-License-Identifier: Apache-2.0
// What does it bring that communication of a step runs beside its compute? Times, in turns within
// one run, a step with it beside, the same step waiting for it, and that one without it (ops turned
// into copies of nothing, so that numbers in it are wrong and no time of it is kept for itself):
//   gathers   zero=3 with prefetch, with prefetch=off, without gathers of layers
//   sums      tensor parallelism, with tp_overlap=off, without sums of input gradients
// What a step waits for is the time of the second less that of the third; what runs beside saves is
// the second less the first; the quotient is the share that is hidden.
//
// Run under mpirun, with free cores: a rank's streams are threads, and where ranks and streams
// outnumber the cores nothing is hidden. Rounds go a b c c b a, a sample is the maximum over ranks,
// figures are medians of a round's differences.
#include <omp.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "collectives/mpi/mpi_runtime.h"
#include "core/stats.h"
#include "harness/exec/executor.h"
#include "harness/exec/step_state.h"
#include "harness/program/ablate.h"

namespace stepmark {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSeed = 1;
constexpr int kForms = 3, kWarmUps = 3;
constexpr std::size_t kReplicates = 2000;

struct Comparison {
  const char* name;
  const char* plan;     // %r: the ranks; %m: sequences
  const char* waiting;  // what it is given besides
  Model model;
  bool (*is_beside)(const Op&);
};

// Sizes in which a layer's communication takes some tenths of what is computed beside it.
std::vector<Comparison> comparisons() {
  const Model model{.name = "bench",
                    .family = ModelFamily::llama,
                    .layers = 2,
                    .hidden = 768,
                    .heads = 12,
                    .kv_heads = 12,
                    .head_dim = 64,
                    .ffn = 2112,
                    .vocab = 1024,
                    .max_seq = 1024,
                    .tied_embeddings = false};
  return {{.name = "gathers",
           .plan = "zero=3,micro_batch=%m,seq=64,clip=0,lr=0,optimizer_overlap=off",
           .waiting = "prefetch=off",
           .model = model,
           .is_beside = [](const Op& op) { return op.label.starts_with("params.layer"); }},
          {.name = "sums",
           .plan = "tp=%r,micro_batch=%m,seq=64,clip=0,lr=0,optimizer_overlap=off",
           .waiting = "tp_overlap=off",
           .model = model,
           .is_beside = [](const Op& op) { return op.label.ends_with(".dgrad.reduce"); }}};
}

class Form {
 public:
  Form(Comm& world, Device& device, const Model& model, const Plan& plan, const Program& program)
      : executor_(make_host_executor(device)),
        comms_(make_comm_set(world, program)),
        runnable_(executor_->prepare(program, *comms_)),
        state_(*runnable_, device, model, plan, kSeed) {
    state_.initialise();
  }
  // Seconds of one step, of the slowest rank.
  double step(Control& control) {
    control.barrier();
    const auto begin = std::chrono::steady_clock::now();
    runnable_->run();
    std::array<double, 1> seconds{
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
    control.max_in_place(seconds);
    return seconds[0];
  }

 private:
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<CommSet> comms_;
  std::unique_ptr<Runnable> runnable_;
  StepState state_;
};

json with_interval(const std::vector<double>& values) {
  const Interval interval = median_interval(values);
  return {{"median", median(values)}, {"interval_95", {interval.lower, interval.upper}}};
}

json measure(const Comparison& comparison, Comm& world, Control& control, int rounds,
             int sequences) {
  std::string text = comparison.plan;
  const auto fill = [&](const char* what, int value) {
    if (const auto at = text.find(what); at != std::string::npos) {
      text.replace(at, 2, std::to_string(value));
    }
  };
  fill("%r", world.size());
  fill("%m", sequences);
  const Model& model = comparison.model;
  const Plan beside = resolve(parse_plan(text), model, world.size());
  const Plan waiting = resolve(parse_plan(comparison.waiting, beside), model, world.size());
  const auto device = make_host_device(omp_get_max_threads());
  const Program waits = step_program(model, waiting, world.rank());
  std::array<Form, kForms> forms{
      Form(world, *device, model, beside, step_program(model, beside, world.rank())),
      Form(world, *device, model, waiting, waits),
      Form(world, *device, model, waiting, without_ops(waits, comparison.is_beside))};
  for (Form& form : forms) {
    for (int i = 0; i < kWarmUps; ++i) form.step(control);
  }
  std::array<std::vector<double>, kForms> seconds;
  std::vector<double> saved, waited;
  for (int round = 0; round < rounds; ++round) {
    std::array<double, kForms> of_round{};
    for (int turn = 0; turn < 2 * kForms; ++turn) {
      const auto form = static_cast<std::size_t>(turn < kForms ? turn : 2 * kForms - 1 - turn);
      of_round[form] += forms[form].step(control) / 2;
    }
    for (std::size_t i = 0; i < kForms; ++i) seconds[i].push_back(of_round[i]);
    saved.push_back(of_round[1] - of_round[0]);
    waited.push_back(of_round[1] - of_round[2]);
  }
  // Drawn are rounds, whose differences belong together.
  std::vector<double> drawn(saved.size());
  for (std::size_t i = 0; i < drawn.size(); ++i) drawn[i] = static_cast<double>(i);
  const auto share = [&](std::span<const double> of) {
    std::vector<double> won, lost;
    for (const double round : of) {
      won.push_back(saved[static_cast<std::size_t>(round)]);
      lost.push_back(waited[static_cast<std::size_t>(round)]);
    }
    return median(won) / median(lost);
  };
  const Interval hidden = bootstrap_interval(drawn, share, 0.95, kReplicates, kSeed);
  return {{"what", comparison.name},
          {"plan", to_text(beside)},
          {"waiting", comparison.waiting},
          {"rounds", rounds},
          {"beside_s", with_interval(seconds[0])},
          {"waiting_s", with_interval(seconds[1])},
          {"without_s", with_interval(seconds[2])},
          {"saved_s", with_interval(saved)},
          {"waited_s", with_interval(waited)},
          {"share_hidden",
           {{"estimate", share(drawn)}, {"interval_95", {hidden.lower, hidden.upper}}}}};
}

}  // namespace
}  // namespace stepmark

int main(int argc, char** argv) {
  using namespace stepmark;
  CLI::App app("Steps with communication beside compute, waiting for it, and without it, in turns");
  int rounds = 40, sequences = 8;
  std::string path, link, only;
  app.add_option("--rounds", rounds, "of six steps each")->check(CLI::Range(6, 100000));
  app.add_option("--sequences", sequences, "of 64 tokens, of a step")->check(CLI::Range(1, 4096));
  app.add_option("--only", only, "one of the comparisons")
      ->check(CLI::IsMember({"gathers", "sums"}));
  app.add_option("--link", link, "what is between the ranks' hosts, for the result");
  app.add_option("--json", path, "file for the result");
  CLI11_PARSE(app, argc, argv);
  MpiRuntime runtime(&argc, &argv);
  try {
    const auto control = make_mpi_control();
    const auto world = make_mpi_comm();
    json result{{"ranks", world->size()},
                {"link", link.empty() ? json() : json(link)},
                {"threads_per_rank", omp_get_max_threads()},
                {"hardware_threads", std::thread::hardware_concurrency()},
                {"mpi", mpi_library_version()},
                {"comparisons", json::array()}};
    for (const Comparison& comparison : comparisons()) {
      if (!only.empty() && comparison.name != only) continue;
      result["comparisons"].push_back(measure(comparison, *world, *control, rounds, sequences));
      if (world->rank() == 0) std::cout << result["comparisons"].back().dump() << std::endl;
    }
    if (world->rank() == 0 && !path.empty()) std::ofstream(path) << result.dump(1) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "step_forms_bench: " << error.what() << '\n';
    runtime.abort(1);
  }
}
