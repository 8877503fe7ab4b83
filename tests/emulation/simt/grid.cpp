// SPDX-License-Identifier: Apache-2.0
#include "tests/emulation/simt/grid.h"

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace stepmark::simt {
namespace {

namespace context = boost::context;

constexpr std::size_t kStackBytes = std::size_t{128} << 10;
constexpr std::size_t kSharedAlignment = 128;
constexpr std::byte kNoise{0x7F};  // 0x7F7F7F7F is a huge float, 0x7F7F a huge bf16

enum class State { ready, at_barrier, at_warp, done };

struct Copy {
  void* shared;
  const void* global;
  bool valid;
};

struct Fiber : Thread {
  context::fiber resume;           // into the thread
  context::fiber* back = nullptr;  // out of it
  State state = State::ready;
  const char* operation = nullptr;  // when at_warp
  int parity = 0;
  std::deque<std::vector<Copy>> committed;
  std::vector<Copy> open;
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<std::array<WarpSlots, 2>> warps;  // two, since a lane may be one operation ahead
  std::vector<std::byte> memory;
  std::byte* shared = nullptr;  // in memory, aligned as on the GPU
  std::size_t shared_bytes = 0;
  std::exception_ptr failure;
};

thread_local Block* current_block = nullptr;
thread_local Fiber* current = nullptr;

Fiber& running() {
  STEPMARK_CHECK(current != nullptr, "a device function was called outside a kernel");
  return *current;
}

std::size_t index_in_block(const Thread& t) {
  return t.thread.x +
         std::size_t{t.threads.x} * (t.thread.y + std::size_t{t.threads.y} * t.thread.z);
}

void pause(State state) {
  Fiber& own = running();
  own.state = state;
  *own.back = std::move(*own.back).resume();
}

class BlockRun {
 public:
  BlockRun(Block& block, const std::function<void()>& body, dim3 blocks, dim3 threads, uint3 index)
      : block_(block) {
    for (std::size_t i = 0; i < block.fibers.size(); ++i) {
      Fiber& fiber = block.fibers[i];
      fiber.thread = {static_cast<unsigned>(i % threads.x),
                      static_cast<unsigned>(i / threads.x % threads.y),
                      static_cast<unsigned>(i / threads.x / threads.y)};
      fiber.block = index;
      fiber.threads = threads;
      fiber.blocks = blocks;
      fiber.shared = block.shared;
      fiber.state = State::ready;
      fiber.committed.clear();
      fiber.open.clear();
      fiber.resume = context::fiber(std::allocator_arg, stacks(),
                                    [&block, &fiber, &body](context::fiber&& caller) {
                                      fiber.back = &caller;
                                      try {
                                        body();
                                      } catch (const context::detail::forced_unwind&) {
                                        throw;
                                      } catch (...) {
                                        if (!block.failure)
                                          block.failure = std::current_exception();
                                      }
                                      fiber.state = State::done;
                                      return std::move(caller);
                                    });
    }
  }

  void run() {
    for (;;) {
      for (std::size_t warp = 0; warp < block_.warps.size(); ++warp) run_warp(warp);
      if (block_.failure) std::rethrow_exception(block_.failure);
      std::size_t done = 0, waiting = 0;
      for (const Fiber& fiber : block_.fibers) {
        done += fiber.state == State::done ? 1 : 0;
        waiting += fiber.state == State::at_barrier ? 1 : 0;
      }
      if (done == block_.fibers.size()) return;
      STEPMARK_CHECK(done == 0 || waiting == 0,
                     "{} threads of a block ended while {} wait at __syncthreads", done, waiting);
      for (Fiber& fiber : block_.fibers) {
        if (fiber.state == State::at_barrier) fiber.state = State::ready;
      }
    }
  }

 private:
  static context::pooled_fixedsize_stack& stacks() {
    thread_local context::pooled_fixedsize_stack pool(kStackBytes);
    return pool;
  }

  // Until every lane is done or at the block's barrier.
  void run_warp(std::size_t warp) {
    const std::size_t begin = warp * 32, end = std::min(begin + 32, block_.fibers.size());
    for (bool again = true; again && !block_.failure;) {
      again = false;
      for (std::size_t i = begin; i < end && !block_.failure; ++i) {
        Fiber& fiber = block_.fibers[i];
        if (fiber.state != State::ready) continue;
        current = &fiber;
        fiber.resume = std::move(fiber.resume).resume();
        current = nullptr;
        again = again || fiber.state == State::ready;
      }
      if (!again && !block_.failure) again = release_warp(begin, end);
    }
  }

  // Lanes that wait for their warp go on once all that have not ended wait at the same place.
  bool release_warp(std::size_t begin, std::size_t end) {
    const char* operation = nullptr;
    for (std::size_t i = begin; i < end; ++i) {
      if (block_.fibers[i].state == State::at_warp) operation = block_.fibers[i].operation;
    }
    if (operation == nullptr) return false;
    for (std::size_t i = begin; i < end; ++i) {
      Fiber& fiber = block_.fibers[i];
      if (fiber.state == State::done) continue;
      STEPMARK_CHECK(
          fiber.state == State::at_warp && fiber.operation == std::string_view(operation),
          "divergent warp: lane {} is at {} while another is at {}", i - begin,
          fiber.state == State::at_warp ? fiber.operation : "__syncthreads", operation);
      fiber.state = State::ready;
    }
    return true;
  }

  Block& block_;
};

}  // namespace

const Thread& self() { return running(); }

int lane() { return static_cast<int>(index_in_block(running()) % 32); }

void run_grid(dim3 blocks, dim3 threads, std::size_t shared_bytes,
              const std::function<void()>& body) {
  const std::size_t count = std::size_t{threads.x} * threads.y * threads.z;
  Block block;
  block.fibers = std::vector<Fiber>(count);
  block.warps.resize((count + 31) / 32);
  block.memory.resize(shared_bytes + kSharedAlignment);
  void* begin = block.memory.data();
  std::size_t space = block.memory.size();
  block.shared = static_cast<std::byte*>(std::align(kSharedAlignment, shared_bytes, begin, space));
  block.shared_bytes = shared_bytes;
  Block* const outer = std::exchange(current_block, &block);
  for (unsigned z = 0; z < blocks.z; ++z) {
    for (unsigned y = 0; y < blocks.y; ++y) {
      for (unsigned x = 0; x < blocks.x; ++x) {
        std::fill(block.memory.begin(), block.memory.end(), kNoise);
        try {
          BlockRun(block, body, blocks, threads, {x, y, z}).run();
        } catch (...) {
          current_block = outer;
          throw;
        }
      }
    }
  }
  current_block = outer;
}

void check_launch(dim3 blocks, dim3 threads, std::size_t shared_bytes) {
  STEPMARK_CHECK(blocks.x > 0 && blocks.y > 0 && blocks.z > 0 && threads.x > 0 && threads.y > 0 &&
                     threads.z > 0,
                 "a launch of no threads: {}x{}x{} blocks of {}x{}x{}", blocks.x, blocks.y,
                 blocks.z, threads.x, threads.y, threads.z);
  STEPMARK_CHECK(threads.x * threads.y * threads.z <= 1024, "{}x{}x{} threads in a block",
                 threads.x, threads.y, threads.z);
  STEPMARK_CHECK(blocks.x <= 0x7FFF'FFFFU && blocks.y <= 65535 && blocks.z <= 65535,
                 "{}x{}x{} blocks", blocks.x, blocks.y, blocks.z);
  STEPMARK_CHECK(shared_bytes <= (std::size_t{163} << 10), "{} bytes of shared memory",
                 shared_bytes);
}

void sync_block() { pause(State::at_barrier); }

void yield() { pause(State::ready); }

const WarpSlots& exchange(const char* what, const void* value, std::size_t size) {
  Fiber& own = running();
  const std::size_t index = index_in_block(own);
  own.parity ^= 1;
  WarpSlots& slots = current_block->warps[index / 32][static_cast<std::size_t>(own.parity)];
  if (size > 0) std::memcpy(slots[index % 32].data(), value, size);
  own.operation = what;
  pause(State::at_warp);
  return slots;
}

void copy_later(void* shared, const void* global, bool valid) {
  STEPMARK_CHECK(reinterpret_cast<std::uintptr_t>(shared) % 16 == 0 &&
                     (!valid || reinterpret_cast<std::uintptr_t>(global) % 16 == 0),
                 "cp.async needs addresses that are multiples of 16");
  check_shared(shared, 16);
  running().open.push_back({shared, global, valid});
}

void commit_copies() { running().committed.push_back(std::exchange(running().open, {})); }

void wait_for_copies(int pending) {
  auto& groups = running().committed;
  for (; groups.size() > static_cast<std::size_t>(pending); groups.pop_front()) {
    for (const Copy& copy : groups.front()) {
      if (copy.valid) {
        std::memcpy(copy.shared, copy.global, 16);
      } else {
        std::memset(copy.shared, 0, 16);
      }
    }
  }
}

void check_shared(const void* address, std::size_t bytes) {
  const auto* begin = static_cast<const std::byte*>(address);
  const std::byte* shared = running().shared;
  const std::byte* end = shared + current_block->shared_bytes;
  STEPMARK_CHECK(begin >= shared && begin + bytes <= end && (begin - shared) % 16 == 0,
                 "a shared-memory access of {} bytes at offset {} is outside the block's memory or "
                 "not aligned",
                 bytes, begin - shared);
}

std::uint64_t timer_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace stepmark::simt
