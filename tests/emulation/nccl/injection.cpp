// SPDX-License-Identifier: Apache-2.0
#include "tests/emulation/nccl/injection.h"

#include <nccl.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

namespace stepmark::emulation {
namespace {

std::atomic<int> process_rank{-1};
std::atomic<long> operations{0};

struct Fault {
  int rank = -1;
  double value = 0.0;
};

Fault fault_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return {};
  const std::string all = text;
  const std::size_t colon = all.find(':');
  if (colon == std::string::npos) return {};
  return {std::atoi(all.c_str()), std::atof(all.c_str() + colon + 1)};
}

}  // namespace

void note_rank(int rank) {
  int unknown = -1;
  process_rank.compare_exchange_strong(unknown, rank);
}

void delay_init() {
  const Fault fault = fault_from("NCCL_EMULATED_INIT_DELAY");
  if (fault.rank < 0 || fault.rank != process_rank) return;
  std::this_thread::sleep_for(std::chrono::duration<double>(fault.value));
}

void maybe_flip_bit(std::byte* received, std::size_t bytes) {
  const long call = operations.fetch_add(1);
  const Fault fault = fault_from("NCCL_EMULATED_FLIP");
  if (fault.rank < 0 || fault.rank != process_rank || call != static_cast<long>(fault.value))
    return;
  if (bytes > 0) received[bytes / 2] ^= std::byte{1};
}

namespace {

void log_line(const char* subsystem, const std::string& text) {
  const char* wanted = std::getenv("NCCL_DEBUG_SUBSYS");
  const char* path = std::getenv("NCCL_DEBUG_FILE");
  if (wanted == nullptr || path == nullptr) return;
  if (std::string(wanted).find(subsystem) == std::string::npos) return;
  std::ofstream file(path, std::ios::app);
  file << "emulated:0:0 [0] NCCL INFO " << text << "\n";
}

}  // namespace

void log_choice(const char* collective, std::size_t bytes) {
  log_line("TUNING", std::string(collective) + ": " + std::to_string(bytes) +
                         " Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..1}");
}

void log_start(int rank, int ranks) {
  log_line("INIT", "Using network Emulated");
  log_line("INIT", "NVLS multicast support is not available on dev 0 (NVLS_NCHANNELS 0)");
  log_line("INIT", "Channel 00/0 : " + std::to_string(rank) + "[0] -> " +
                       std::to_string((rank + 1) % ranks) + "[0] via SHM/direct/direct");
}

int emulated_version() {
  const char* text = std::getenv("NCCL_EMULATED_VERSION");
  return text != nullptr ? std::atoi(text) : NCCL_VERSION_CODE;
}

}  // namespace stepmark::emulation
