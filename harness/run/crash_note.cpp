// SPDX-License-Identifier: Apache-2.0
// A signal handler that touches atomics and sends one note, then puts the former action back and
// lets the fault happen again: the core dump is that of the fault.
#include "harness/run/crash_note.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "harness/run/signals.h"

namespace stepmark {
namespace {

constexpr std::array<int, 7> kFaults{SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS, SIGTRAP};

// What the handler uses: nothing but values and two async-signal-safe calls.
struct Told {
  std::atomic<Witness*> witness{nullptr};
  std::atomic<pid_t> process{0};
  std::atomic<int> value{0};
};
Told told;
std::array<struct sigaction, kFaults.size()> before{};

void note_and_die(int signal, siginfo_t* info, void*) {
  if (Witness* witness = told.witness.exchange(nullptr)) {
    witness->crashed(signal);
    if (told.process > 0) send_note(told.process, told.value + signal);
  }
  for (std::size_t i = 0; i < kFaults.size(); ++i) {
    if (kFaults[i] == signal) sigaction(signal, &before[i], nullptr);
  }
  // A fault happens again when the instruction is taken up; what was sent has to be sent again.
  if (info->si_code <= 0) raise(signal);
}

}  // namespace

CrashNote::CrashNote(Witness& witness, pid_t tell, int value) {
  told.process = tell;
  told.value = value;
  told.witness = &witness;
  struct sigaction action {};
  action.sa_sigaction = note_and_die;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kFaults.size(); ++i) sigaction(kFaults[i], &action, &before[i]);
}

CrashNote::~CrashNote() {
  told.witness = nullptr;
  for (std::size_t i = 0; i < kFaults.size(); ++i) sigaction(kFaults[i], &before[i], nullptr);
}

bool is_fault(int signal) {
  return std::find(kFaults.begin(), kFaults.end(), signal) != kFaults.end();
}

}  // namespace stepmark
