// SPDX-License-Identifier: Apache-2.0
// A training step on one rank with all cores, timed on request: the stepmark side of
// scripts/reference/torch_step.py, which alternates it with the same step in PyTorch.
//
// usage: step_bench WORKLOAD.yaml PLAN < commands
//
// One JSON line per command: "facts" (threads, parameters, FLOPs of a step), "step" (seconds,
// loss), "step serial" and "step overlapped" (the same in that form of the optimizer, on the same
// buffers), "profile" (seconds of the last step by kind of op), "gemm N" (FLOP/s of an N^3 fp32
// GEMM through the project's kernel and through cblas_sgemm, the best of three each).
#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "collectives/comm.h"
#include "core/error.h"
#include "harness/exec/executor.h"
#include "harness/exec/step_state.h"
#include "harness/spec/workload.h"
#include "kernels/ops/gemm.h"

namespace stepmark {
namespace {

using nlohmann::json;

template <class F>
double seconds_of(F f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Bench {
 public:
  Bench(const Model& model, const Plan& plan)
      : model_(model),
        plan_(plan),
        device_(make_host_device(omp_get_max_threads())),
        executor_(make_host_executor(*device_)),
        program_(step_program(model, plan, 0)),
        comms_(make_comm_set(*self_, program_)),
        runnable_(executor_->prepare(program_, *comms_)),
        state_(*runnable_, *device_, model, plan, 1) {
    state_.initialise();
  }

  json facts() const {
    const double per_token = model_.model_flops_per_token(plan_.seq);
    return {{"model", model_.name},
            {"plan", to_text(plan_)},
            {"threads", omp_get_max_threads()},
            {"parameters", model_.parameters()},
            {"flops", per_token * static_cast<double>(plan_.tokens_per_step())}};
  }

  // `form`: "serial", "overlapped", or empty for the plan's own.
  json step(const std::string& form) {
    last_ = form.empty() ? runnable_.get() : &in_form(form);
    const double seconds = seconds_of([&] { last_->run(); });
    return {{"seconds", seconds}, {"loss", state_.loss()}, {"norm", state_.gradient_norm()}};
  }

  // By label without the layer's number, so that layers add up.
  json profile() const {
    std::map<std::string, double> seconds;
    for (const Span& span : last_->timeline().spans) {
      const Op& op = last_->program().ops[static_cast<std::size_t>(span.op)];
      const bool in_layer = op.label.starts_with("layer");
      const std::string label = in_layer ? op.label.substr(op.label.find('.') + 1) : op.label;
      seconds[label + " (" + std::string(info_of(op.kernel->id).name) + ")"] +=
          static_cast<double>(span.end_ns - span.begin_ns) * 1e-9;
    }
    return seconds;
  }

  static json gemm(std::int64_t n) {
    const auto elements = static_cast<std::size_t>(n * n);
    const std::vector<float> a(elements, 1.0F);
    const std::vector<float> b(elements, 0.5F);
    std::vector<float> c(elements);
    const OpShape shape = pack(GemmShape{.m = n, .n = n, .k = n}, DType::f32);
    // Kernels take plain pointers; inputs are only read.
    const std::array<void*, 4> operands{const_cast<float*>(a.data()), const_cast<float*>(b.data()),
                                        nullptr, c.data()};
    const auto side = static_cast<blasint>(n);
    double kernel = 1e300;
    double cblas = 1e300;
    for (int i = 0; i < 3; ++i) {
      kernel =
          std::min(kernel, seconds_of([&] { host_kernel(OpId::gemm)(shape, operands.data()); }));
      cblas = std::min(cblas, seconds_of([&] {
                         cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side, side, side,
                                     1.0F, a.data(), side, b.data(), side, 0.0F, c.data(), side);
                       }));
    }
    const double flops =
        2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
    return {{"kernel_flops_per_s", flops / kernel}, {"cblas_flops_per_s", flops / cblas}};
  }

 private:
  Runnable& in_form(const std::string& form) {
    STEPMARK_REQUIRE(form == "serial" || form == "overlapped", "unknown form '{}'", form);
    auto& runnable = forms_[form];
    if (!runnable) {
      Plan plan = plan_;
      plan.optimizer_overlap = form == "serial" ? OptimizerOverlap::off : OptimizerOverlap::on;
      runnable = executor_->prepare(step_program(model_, plan, 0), *comms_,
                                    {.buffers_of = runnable_.get()});
    }
    return *runnable;
  }

  Model model_;
  Plan plan_;
  std::unique_ptr<Comm> self_ = make_self_comm();
  std::unique_ptr<Device> device_;
  std::unique_ptr<Executor> executor_;
  Program program_;
  std::unique_ptr<CommSet> comms_;
  std::unique_ptr<Runnable> runnable_;
  Runnable* last_ = runnable_.get();
  std::map<std::string, std::unique_ptr<Runnable>> forms_;
  StepState state_;
};

json answer(Bench& bench, std::istringstream command) {
  std::string verb;
  std::int64_t n = 0;
  command >> verb;
  if (verb == "facts") return bench.facts();
  if (verb == "step") {
    std::string form;
    command >> form;
    return bench.step(form);
  }
  if (verb == "profile") return bench.profile();
  command >> n;
  STEPMARK_REQUIRE(verb == "gemm" && n > 0 && n <= 16384, "unknown command '{}'", verb);
  return Bench::gemm(n);
}

}  // namespace
}  // namespace stepmark

int main(int argc, char** argv) {
  using namespace stepmark;
  if (argc != 3) {
    std::cerr << "usage: step_bench WORKLOAD.yaml PLAN < commands\n";
    return 2;
  }
  try {
    const Workload workload = read_workload(argv[1]);
    const Plan plan = resolve(parse_plan(argv[2], workload.plan), workload.model, 1);
    Bench bench(sliced(workload.model, plan), plan);
    for (std::string line; std::getline(std::cin, line);) {
      std::cout << answer(bench, std::istringstream(line)).dump() << std::endl;
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "step_bench: " << error.what() << '\n';
    return 1;
  }
}
