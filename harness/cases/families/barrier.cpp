// SPDX-License-Identifier: Apache-2.0
// Family `barrier`: a program of back-to-back barriers of all ranks, timed from the begin of the
// first to the end of the last. Checked by letting the last rank come late: nobody may leave
// before.
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "harness/cases/common.h"
#include "harness/cases/concurrent.h"
#include "harness/cases/family.h"
#include "harness/cases/traffic.h"
#include "results/families/barrier.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

constexpr const char* kAxis = "world";
constexpr double kLateSeconds = 0.05;

class BarrierCase final : public Case {
 public:
  BarrierCase(int calls, int world_size)
      : calls_(calls), id_(fmt::format("barrier/calls{}/world{}", calls, world_size)) {}

  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string_view family() const override { return facts::barrier::kFamily; }

  [[nodiscard]] Record run(CaseContext& context) override {
    Record record;
    record.numbers.emplace_back(facts::barrier::kCalls, calls_);
    record.numbers.emplace_back(facts::kRanks, context.control.size());
    record.texts.emplace_back(facts::kLibrary, std::string(context.world.backend()));
    OneComm comms(kAxis, context.world);
    const Group world = world_group(kAxis, context.control);
    ProgramBuilder builder("barrier", world.index, context.control.size());
    builder.add_group(world);
    for (int i = 0; i < calls_; ++i) {
      builder.comm("barrier", kAxis, {.verb = Verb::barrier, .axis = kAxis}, {}, {});
    }
    const auto runnable =
        context.executor.prepare(std::move(builder).take(), comms, {.capture = false});
    if (!check(record, context, *runnable)) return record;
    sample_into(record, context, [&] {
      runnable->run_traced();
      return extent_s(runnable->program(), runnable->timeline()) / calls_;
    });
    return record;
  }

 private:
  static bool check(Record& record, CaseContext& context, Runnable& runnable) {
    const bool late = context.control.rank() == context.control.size() - 1;
    context.control.barrier();
    const double begin_s = steady_clock_seconds();
    if (late) std::this_thread::sleep_for(std::chrono::duration<double>(kLateSeconds));
    runnable.run();
    const bool held = steady_clock_seconds() - begin_s >= kLateSeconds / 2;
    return add_check(record, "nobody leaves before the last rank came",
                     all_ranks(context.control, held), "the last rank came late");
  }

  int calls_;
  std::string id_;
};

struct BarrierEntry {
  std::int64_t calls = 1;
  void expand(const SuiteWorld& world, Expansion& expansion) const {
    expansion.cases.push_back(std::make_unique<BarrierCase>(static_cast<int>(calls), world.size));
  }
};

}  // namespace

SuiteEntry read_barrier_entry(YamlMap& map) {
  return BarrierEntry{.calls = map.optional_int("calls", 10, {.min = 1, .max = 512})};
}

}  // namespace stepmark
