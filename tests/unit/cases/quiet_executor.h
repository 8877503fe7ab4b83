// SPDX-License-Identifier: Apache-2.0
// The host's executor with the manners of one on a GPU: run() has no spans, run_traced() has them,
// and caches can be emptied.
#pragma once

#include <memory>
#include <utility>

#include "harness/exec/executor.h"

namespace stepmark::test {

class QuietRunnable final : public Runnable {
 public:
  QuietRunnable(std::unique_ptr<Runnable> inner, bool cold)
      : inner_(std::move(inner)), cold_(cold) {}
  void run() override {
    inner_->run();
    traced_ = false;
  }
  void run_traced() override {
    inner_->run();
    traced_ = true;
  }
  [[nodiscard]] Timeline timeline() const override {
    Timeline timeline = inner_->timeline();
    if (!traced_) timeline.spans.clear();
    return timeline;
  }
  [[nodiscard]] bool cold() const override { return cold_; }
  EmptyStep run_empty() override { return inner_->run_empty(); }
  [[nodiscard]] std::shared_ptr<const Memory> arena() const override { return inner_->arena(); }
  [[nodiscard]] void* buffer(std::int32_t index) override { return inner_->buffer(index); }
  [[nodiscard]] const Program& program() const override { return inner_->program(); }
  [[nodiscard]] OpEngine engine_of(std::int32_t op) const override { return inner_->engine_of(op); }

 private:
  std::unique_ptr<Runnable> inner_;
  bool cold_, traced_ = false;
};

class QuietExecutor final : public Executor {
 public:
  explicit QuietExecutor(Executor& inner) : inner_(inner) {}
  [[nodiscard]] Device& device() override { return inner_.device(); }
  using Executor::prepare;
  [[nodiscard]] std::unique_ptr<Runnable> prepare(const Program& program, CommSet& comms,
                                                  const PrepareOptions& options) override {
    return std::make_unique<QuietRunnable>(inner_.prepare(program, comms, options), options.cold);
  }

 private:
  Executor& inner_;
};

}  // namespace stepmark::test
