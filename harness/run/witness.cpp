// SPDX-License-Identifier: Apache-2.0
// fork before MPI, a pipe whose end closes with the process, and a page of memory that both map.
// Two copies of each text take turns, so that a process killed while writing leaves the other one
// whole.
#include "harness/run/witness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <new>
#include <string>
#include <thread>

#include "core/error.h"
#include "core/log.h"
#include "core/log_descriptor.h"
#include "harness/run/helper_name.h"
#include "harness/run/process_watch.h"
#include "harness/run/run_journal.h"
#include "harness/run/signals.h"

namespace stepmark {

// In memory that both processes map. Texts are written by one thread at a time and read when the
// writer is gone, or by the writer's own process.
struct WitnessPage {
  static constexpr std::size_t kText = 1024;
  static constexpr std::size_t kPath = 4096;
  std::atomic<bool> silent{false};
  std::atomic<int> crash_signal{0};
  std::atomic<int> told_signal{0};
  std::atomic<int> rank{0};
  std::atomic<long> launcher{0};
  std::atomic<int> spoke{0};
  std::atomic<unsigned> shown{0};  // which of the texts is complete
  std::array<std::array<char, kText>, 2> where{};
  std::atomic<bool> keeps_journal{false};
  std::array<char, kPath> journal{};
  std::array<char, kPath> kept{};  // what to say of it
};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

namespace {

constexpr unsigned kPatienceS = 20;  // for a file system that does not answer
// A rank 0 that is still starting hears of it as soon as it listens.
constexpr int kTellTurns = 20;
constexpr std::chrono::milliseconds kTellTurn{25};

template <std::size_t N>
void copy_text(std::string_view text, std::array<char, N>& to) {
  const std::size_t size = std::min(text.size(), N - 1);
  std::copy_n(text.data(), size, to.data());
  to[size] = '\0';
}

WitnessPage* shared_page() {
  void* memory =
      mmap(nullptr, sizeof(WitnessPage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  STEPMARK_CHECK(memory != MAP_FAILED, "no memory: {}", strerrordesc_np(errno));
  return new (memory) WitnessPage();
}

// Nothing of the process stays open but its stderr: a launcher waits for the end of its output.
void keep_only(int alive) {
  // Where our own lines go, which need not be the standard error that libraries write to.
  dup2(log_descriptor(), STDERR_FILENO);
  set_log_descriptor(STDERR_FILENO);
  const int nothing = open("/dev/null", O_RDWR);
  if (nothing >= 0) {
    for (const int stream : {0, 1}) dup2(nothing, stream);
  }
  constexpr int kAlive = 3;
  if (alive != kAlive) dup2(alive, kAlive);
  if (close_range(kAlive + 1, ~0U, 0) == 0) return;
  for (int fd = kAlive + 1; fd < 1024; ++fd) close(fd);
}

std::string how_it_ended(const WitnessPage& page) {
  if (const int crash = page.crash_signal; crash != 0) {
    return fmt::format("crashed (SIG{})", sigabbrev_np(crash));
  }
  // Who tells a process to end kills it soon after; on a busy machine that can be before it spoke.
  if (const int told = page.told_signal; told != 0) {
    return fmt::format("received SIG{}", sigabbrev_np(told));
  }
  return "is gone: killed (SIGKILL, or no memory was left), or ended by a library";
}

void speak(const WitnessPage& page, pid_t process) {
  const std::string message =
      fmt::format("rank {} (pid {}, on {}) {}; {}", page.rank.load(), process, identity().host,
                  how_it_ended(page), page.where[page.shown % 2].data());
  // First: a launcher that has lost all its ranks leaves at once and reads no more. One that has
  // others to end takes longer than writing does.
  const std::string_view kept = page.kept.data();
  log_error("{}{}{}", message, kept.empty() ? "" : "; ", kept);
  if (!page.keeps_journal) return;
  try {
    end_abandoned_journal(page.journal.data(), message, ExitCode::kNotMeasured);
  } catch (const std::exception& error) {
    log_error("the journal of rank {} could not be ended: {}", page.rank.load(), error.what());
  }
}

// Before ranks know each other: rank 0 is the launcher's child that says so in its environment.
// False when there is none, or it does not listen yet.
bool tell_rank_zero(const WitnessPage& page) {
  for (const long pid : running_children(page.launcher)) {
    for (const char* name : {"OMPI_COMM_WORLD_RANK=0", "PMI_RANK=0", "SLURM_PROCID=0"}) {
      if (!environment_has(pid, name) || !handles_signal(pid, note_signal())) continue;
      send_note(static_cast<pid_t>(pid), page.spoke);
      return true;
    }
  }
  return false;
}

[[noreturn]] void stand_by(const WitnessPage& page, int alive, pid_t process) {
  setsid();
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    if (signal != SIGALRM && signal != SIGCHLD) ::signal(signal, SIG_IGN);
  }
  keep_only(alive);
  take_helper_name("stepmark-watch");
  char byte = 0;
  while (read(3, &byte, 1) != 0) {
    if (errno != EINTR) break;
  }
  if (page.silent) _exit(0);
  ::signal(SIGALRM, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);  // NOLINT(concurrency-mt-unsafe): it has one thread
  alarm(kPatienceS);
  try {
    bool told = page.rank == 0 || page.spoke == 0 || tell_rank_zero(page);
    speak(page, process);
    for (int turn = 0; turn < kTellTurns && !told; ++turn) {
      std::this_thread::sleep_for(kTellTurn);
      told = tell_rank_zero(page);
    }
  } catch (const std::exception& error) {
    log_error("the journal of rank {} (pid {}) could not be ended: {}", page.rank.load(), process,
              error.what());
  }
  _exit(0);
}

}  // namespace

Witness::Witness(int rank, int spoke) : page_(shared_page()) {
  page_->rank = rank;
  page_->spoke = spoke;
  page_->launcher = getppid();
  at("during: start of the program");
  std::array<int, 2> ends{};
  STEPMARK_CHECK(pipe2(ends.data(), O_CLOEXEC) == 0, "no pipe: {}", strerrordesc_np(errno));
  const pid_t process = getpid();
  // What comes from here on waits for the SignalThread, which has the signals blocked too: a
  // launcher that ends this process shall not look like one that killed it.
  sigset_t wait;
  sigemptyset(&wait);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&wait, signal);
  pthread_sigmask(SIG_BLOCK, &wait, nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    close(ends[1]);
    stand_by(*page_, ends[0], process);
  }
  close(ends[0]);
  alive_ = ends[1];
  // Without a witness the run is as good as with one, as long as nobody kills it.
  if (pid_ < 0) log_warning("no process to watch this one: {}", strerrordesc_np(errno));
}

Witness::~Witness() {
  silence();
  close(alive_);
  if (pid_ > 0) {
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  munmap(page_, sizeof(WitnessPage));
}

void Witness::at(std::string_view where) {
  const std::lock_guard lock(mutex_);
  const unsigned next = page_->shown + 1;
  copy_text(where, page_->where[next % 2]);
  page_->shown = next;
}

std::string Witness::where() const {
  const std::lock_guard lock(mutex_);
  return page_->where[page_->shown % 2].data();
}

void Witness::spoken_for(int rank) {
  page_->rank = rank;
  if (rank > 0) silence();
}

void Witness::keeps(std::string_view journal, std::string_view kept) {
  const std::lock_guard lock(mutex_);
  copy_text(kept, page_->kept);
  copy_text(journal, page_->journal);
  page_->keeps_journal = !journal.empty();
}

void Witness::silence() noexcept { page_->silent = true; }

void Witness::crashed(int signal) noexcept { page_->crash_signal = signal; }

void Witness::told_to_end(int signal) noexcept { page_->told_signal = signal; }

}  // namespace stepmark
