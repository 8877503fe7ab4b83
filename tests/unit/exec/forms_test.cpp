// SPDX-License-Identifier: Apache-2.0
// The parallel forms that docs/architecture.md shows (docs/forms): the program text of each is
// parsed, checked across both ranks and run, with the IR, the executor and the comms as they are.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "collectives/mpi/mpi_runtime.h"
#include "core/error.h"
#include "harness/exec/executor.h"
#include "harness/program/text.h"
#include "harness/program/validate.h"

namespace stepmark {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Form {
 public:
  explicit Form(const std::string& name)
      : programs_{load(name, 0), load(name, 1)},
        program_(programs_[static_cast<std::size_t>(identity().rank)]),
        comms_(make_comm_set(*world_, program_)),
        runnable_(executor_->prepare(program_, *comms_)) {
    EXPECT_EQ(problems(programs_), std::vector<std::string>{});
    for (std::size_t i = 0; i < program_.buffers.size(); ++i) {
      const BufferKind kind = program_.buffers[i].kind;
      if (kind == BufferKind::input || kind == BufferKind::param) {
        fill(static_cast<std::int32_t>(i), static_cast<float>(identity().rank + 1));
      }
    }
  }

  void run() { runnable_->run(); }

  // All elements of a buffer have this value.
  void expect(const std::string& buffer, float value) {
    const std::int32_t index = program_.buffer_index(buffer);
    ASSERT_GE(index, 0) << buffer;
    for (const float element : read(index)) ASSERT_EQ(element, value) << buffer;
  }
  std::vector<float> read(std::int32_t index) {
    std::vector<float> out(
        static_cast<std::size_t>(program_.buffers[static_cast<std::size_t>(index)].elements));
    device_->copy_to_host(out.data(), runnable_->buffer(index), out.size() * sizeof(float));
    return out;
  }

 private:
  static Program load(const std::string& name, int rank) {
    const std::string path = fmt::format("{}/{}.rank{}.txt", STEPMARK_FORMS_DIR, name, rank);
    return parse_program(read_file(path), path);
  }
  void fill(std::int32_t index, float value) {
    const std::vector<float> values(read(index).size(), value);
    device_->copy_to_device(runnable_->buffer(index), values.data(), values.size() * sizeof(float));
  }

  std::vector<Program> programs_;
  const Program& program_;
  std::unique_ptr<Comm> world_ = make_mpi_comm();
  std::unique_ptr<CommSet> comms_;
  std::unique_ptr<Device> device_ = make_host_device(1);
  std::unique_ptr<Executor> executor_ = make_host_executor(*device_);
  std::unique_ptr<Runnable> runnable_;
};

constexpr int kSteps = 3;
bool on_rank(int rank) { return identity().rank == rank; }

// Inputs and parameters of rank r are r + 1.
TEST(FormsTest, PipelineOneForwardOneBackward) {
  Form form("pipeline");
  for (int step = 0; step < kSteps; ++step) {
    form.run();
    if (on_rank(0)) form.expect("y1", 4);              // 4 * 1 * 1
    if (on_rank(1)) form.expect("y1", 4 * 4 * 2);      // the other stage's output by its own weight
    if (on_rank(0)) form.expect("dy1", 4 * 32 * 2);    // back through stage 1
    if (on_rank(0)) form.expect("dw", 2 * (2 * 256));  // two tokens, two micro-batches
  }
}

TEST(FormsTest, ContextParallelRing) {
  Form form("context");
  for (int step = 0; step < kSteps; ++step) {
    form.run();
    form.expect("s0", on_rank(0) ? 4 : 16);
    form.expect("s1", 8);
  }
}

TEST(FormsTest, ExpertParallelAllToAll) {
  Form form("expert");
  for (int step = 0; step < kSteps; ++step) {
    form.run();
    if (on_rank(1)) {
      form.expect("y", 8);  // all tokens went to expert 0
    } else {
      const std::vector<float> y = form.read(4);
      ASSERT_EQ(y.size(), 12u);
      for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], i < 4 ? 4 : 8) << i;
    }
  }
}

TEST(FormsTest, ZeroThree) {
  Form form("zero3");
  for (int step = 0; step < kSteps; ++step) {
    form.run();
    form.expect("y1", on_rank(0) ? 36 : 72);
    form.expect("dw1.shard", (432 + 1728) / 2.0f);
  }
}

// Every op line of the page, up to its abridged shape, is a line of one of the programs.
TEST(FormsTest, TheArchitecturePageQuotesThePrograms) {
  std::string programs;
  for (const char* name : {"pipeline", "context", "expert", "zero3"}) {
    programs += read_file(fmt::format("{}/{}.rank0.txt", STEPMARK_FORMS_DIR, name));
  }
  std::istringstream page(read_file(std::string(STEPMARK_FORMS_DIR) + "/../architecture.md"));
  int quoted = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("op ")) continue;
    ++quoted;
    const std::size_t cut = line.find(" ...}");
    EXPECT_NE(programs.find(line.substr(0, cut)), std::string::npos) << line;
    if (cut != std::string::npos) {
      EXPECT_NE(programs.find(line.substr(cut + 4) + "\n"), std::string::npos) << line;
    }
  }
  EXPECT_GE(quoted, 20);
}

}  // namespace
}  // namespace stepmark
