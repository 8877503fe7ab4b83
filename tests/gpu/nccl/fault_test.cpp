// SPDX-License-Identifier: Apache-2.0
// What becomes of the others when a rank dies, is late or has the wrong library; and that a wrong
// bit is found. Times are bounds for "does not hang", not measurements.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "collectives/nccl/nccl_comm.h"
#include "collectives/verify.h"
#include "core/error.h"
#include "harness/exec/cuda/cuda_device.h"
#include "tests/gpu/nccl/forked_ranks.h"

namespace stepmark {
namespace {

using Clock = std::chrono::steady_clock;
using test::run_forked;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

bool ended_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
bool was_killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

void expect_all_well(const std::vector<int>& statuses) {
  for (std::size_t r = 0; r < statuses.size(); ++r) {
    EXPECT_TRUE(ended_well(statuses[r])) << "rank " << r << ": status " << statuses[r];
  }
}

bool is_emulated() {
  const char* library = std::getenv("STEPMARK_NCCL_LIBRARY");
  return library != nullptr && std::string(library).find("emulated") != std::string::npos;
}

struct Rank {
  explicit Rank(Control& control, double deadline_s = 30.0) {
    const DeviceChoice choice = choose_device(control, /*allow_shared=*/true);
    device = make_cuda_device(choice.ordinal);
    device->make_current();
    settings = {.deadline_s = deadline_s, .shared_gpu = choice.shared};
  }
  void start(Control& control) {
    comm = make_nccl_world(control, settings);
    device->set_health_check([this] { comm->check(); });
  }
  std::unique_ptr<CudaDevice> device;
  NcclSettings settings;
  std::unique_ptr<Comm> comm;
};

// The message of the Error that `body` must throw.
template <class Body>
std::string error_of(Body body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no Error";
  return {};
}

Verification all_reduce(Rank& rank, Comm& comm, std::uint64_t seed) {
  const auto& c = collective(CollectiveKind::all_reduce);
  const auto stream = rank.device->create_stream("comm");
  CollectiveBuffers buffers(*rank.device, c, {.size_bytes = 4096, .seed = seed}, comm.rank(),
                            comm.size());
  buffers.fill();
  buffers.submit(comm, *stream);
  stream->synchronize();
  return buffers.verify();
}

TEST(NcclFaults, TheDeathOfARankIsSeenByTheOthers) {
  const auto statuses = run_forked(3, 40.0, [](Control& control) {
    Rank rank(control);
    rank.start(control);
    const auto group = rank.comm->split(0, control.rank());
    // As a run does: ranks connect in a communicator's first collective, and NCCL waits there for
    // one that died, on the host and without end.
    EXPECT_TRUE(all_reduce(rank, *rank.comm, 3).ok());
    EXPECT_TRUE(all_reduce(rank, *group, 1).ok());
    EXPECT_NO_THROW(rank.comm->check());
    control.barrier();
    if (control.rank() == 1) raise(SIGKILL);
    const auto begin = Clock::now();
    const std::string said = error_of([&] { all_reduce(rank, *rank.comm, 2); });
    EXPECT_LT(seconds_since(begin), 10.0);
    // Which error it becomes, and its words, are NCCL's.
    if (is_emulated()) {
      EXPECT_NE(std::string::npos, said.find("remote process exited")) << said;
    }
    EXPECT_NE(std::string::npos, said.find("of 3")) << said;
    EXPECT_THROW(group->check(), Error);
    rank.device->set_health_check({});
    // Nothing may wait for the GPU before the abort: a real one spins until then, and the emulated
    // one for 2 s. An abort has 10 s.
    const auto goodbye = Clock::now();
    rank.comm = nullptr;
    EXPECT_LT(seconds_since(goodbye), is_emulated() ? 1.0 : 12.0);
  });
  EXPECT_TRUE(ended_well(statuses[0])) << statuses[0];
  EXPECT_TRUE(was_killed(statuses[1])) << statuses[1];
  EXPECT_TRUE(ended_well(statuses[2])) << statuses[2];
}

TEST(NcclFaults, ARankThatStaysAwayIsNotWaitedForForEver) {
  const auto statuses = run_forked(2, 40.0, [](Control& control) {
    Rank rank(control, /*deadline_s=*/1.0);
    rank.start(control);
    control.barrier();
    if (control.rank() == 1) {  // alive, but never splits
      std::this_thread::sleep_for(std::chrono::seconds(3));
      rank.comm.release();  // its goodbye would wait for rank 0, which has aborted
      return;
    }
    const auto begin = Clock::now();
    const std::string said = error_of([&] { (void)rank.comm->split(0, 0); });
    EXPECT_LT(seconds_since(begin), 2.5);
    EXPECT_NE(std::string::npos, said.find("not all ranks had joined after 1 s")) << said;
    EXPECT_NE(std::string::npos, said.find("ncclCommSplit")) << said;
    rank.device->set_health_check({});
  });
  expect_all_well(statuses);
}

TEST(NcclFaults, LateRanksMakeAllFail) {
  if (!is_emulated()) GTEST_SKIP() << "the emulated library delays the rank";
  setenv("NCCL_EMULATED_INIT_DELAY", "1:3", 1);
  const auto statuses = run_forked(3, 40.0, [](Control& control) {
    Rank rank(control, /*deadline_s=*/0.5);
    const auto begin = Clock::now();
    const std::string said = error_of([&] { rank.start(control); });
    EXPECT_LT(seconds_since(begin), 2.5);
    EXPECT_NE(std::string::npos, said.find("NCCL does not start")) << said;
    EXPECT_NE(std::string::npos, said.find("not all ranks had joined after 0.5 s")) << said;
    EXPECT_NE(std::string::npos, said.find("ranks 0, 1, 2: world:")) << said;
  });
  unsetenv("NCCL_EMULATED_INIT_DELAY");
  expect_all_well(statuses);
}

TEST(NcclFaults, AWrongBitIsFoundWhereItIs) {
  if (!is_emulated()) GTEST_SKIP() << "the emulated library flips the bit";
  setenv("NCCL_EMULATED_FLIP", "1:2", 1);
  const auto statuses = run_forked(3, 40.0, [](Control& control) {
    Rank rank(control);
    rank.start(control);
    for (int call = 0; call < 4; ++call) {
      const Verification v = all_reduce(rank, *rank.comm, 5);
      const bool hit = control.rank() == 1 && call == 2;
      EXPECT_EQ(hit ? 1 : 0, v.wrong) << "call " << call;
      EXPECT_EQ(hit ? 512 : -1, v.first_bad) << v.describe();
    }
  });
  unsetenv("NCCL_EMULATED_FLIP");
  expect_all_well(statuses);
}

TEST(NcclFaults, RanksOfOneGpuMustSaySo) {
  if (is_emulated()) setenv("STEPMARK_EMULATED_DEVICES", "1", 1);
  const auto statuses = run_forked(2, 40.0, [](Control& control) {
    Rank rank(control);
    if (!rank.settings.shared_gpu) return;  // a machine with more GPUs
    rank.settings.shared_gpu = false;
    const std::string said = error_of([&] { rank.start(control); });
    EXPECT_NE(std::string::npos, said.find("ncclCommInitRankConfig")) << said;
  });
  if (is_emulated()) unsetenv("STEPMARK_EMULATED_DEVICES");
  expect_all_well(statuses);
}

TEST(NcclFaults, TheLogTellsTheChoice) {
  const auto statuses = run_forked(2, 40.0, [](Control& control) {
    Rank rank(control);
    rank.settings.tuning_log =
        testing::TempDir() + "stepmark-tuning-" + std::to_string(::getpid()) + ".log";
    rank.start(control);
    EXPECT_TRUE(all_reduce(rank, *rank.comm, 6).ok());
    const auto choice = dynamic_cast<NcclComm&>(*rank.comm).choice_of(Verb::all_reduce, 4096);
    // Only the emulated library's log has a form that is promised.
    if (is_emulated()) {
      EXPECT_EQ(control.rank() == 0, choice.has_value());
    }
    if (choice) {
      EXPECT_GE(choice->channels, 1) << choice->algorithm;
    }
    std::remove(rank.settings.tuning_log.c_str());
  });
  expect_all_well(statuses);
}

// Runs a world of one rank with a variable set; the Error's text, or that of facts().
std::string start_with(const char* variable, const char* value) {
  const char* before = std::getenv(variable);
  const std::string kept = before != nullptr ? before : "";
  setenv(variable, value, 1);
  std::string said;
  try {
    const auto control = make_solo_control();
    for (const auto& [name, text] : make_nccl_world(*control, {.deadline_s = 30.0})->facts()) {
      said += name + "=" + text + " ";
    }
  } catch (const Error& e) {
    said = e.what();
  }
  if (kept.empty()) {
    unsetenv(variable);
  } else {
    setenv(variable, kept.c_str(), 1);
  }
  return said;
}

TEST(NcclFaults, LibrariesThatWillNotDo) {
  const auto statuses = run_forked(1, 40.0, [](Control&) {
    const std::string none = start_with("STEPMARK_NCCL_LIBRARY", "/nowhere/libnccl.so.2");
    EXPECT_NE(std::string::npos, none.find("NCCL was not found: /nowhere")) << none;
    const std::string other = start_with("STEPMARK_NCCL_LIBRARY", "libm.so.6");
    EXPECT_NE(std::string::npos, other.find("is not an NCCL library")) << other;
    if (!is_emulated()) return;
    const std::string old = start_with("NCCL_EMULATED_VERSION", "21703");
    EXPECT_NE(std::string::npos, old.find("is NCCL 2.17.3")) << old;
    EXPECT_NE(std::string::npos, old.find("needs 2.18.1")) << old;
    const std::string next_major = start_with("NCCL_EMULATED_VERSION", "30000");
    EXPECT_NE(std::string::npos, next_major.find("is NCCL 3.0.0")) << next_major;
    // Older than the header, as the emulation refuses configurations of a newer one.
    const std::string older = start_with("NCCL_EMULATED_VERSION", "22005");
    EXPECT_NE(std::string::npos, older.find("version=2.20.5")) << older;
    EXPECT_NE(std::string::npos, older.find("header_version=")) << older;
  });
  expect_all_well(statuses);
}

}  // namespace
}  // namespace stepmark
