// SPDX-License-Identifier: Apache-2.0
// The shared memory of one emulated communicator: who takes part, and a pipe from every rank to
// every other. All-zero bytes are its valid first state, so no rank has to set it up for others.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace stepmark::emulation {

enum class MemberState : int { absent = 0, joined, left, failed };

struct Member {
  std::atomic<int> pid;
  std::atomic<MemberState> state;
  std::atomic<std::uint64_t> gpu;  // hash of host and device
};

// One writer, one reader.
template <std::size_t kBytes>
struct PipeMemory {
  alignas(64) std::atomic<std::uint64_t> written;
  alignas(64) std::atomic<std::uint64_t> read;
  std::array<std::byte, kBytes> ring;
};

// Streams and host calls (split, finalize) do not mix: each has pipes of its own.
enum class Channel { stream, host };

class Segment {
 public:
  static constexpr int kMaxRanks = 64;

  // Opens or makes the segment. `name` as of shm_open.
  Segment(std::string name, int ranks);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  [[nodiscard]] bool ok() const { return base_ != nullptr; }
  [[nodiscard]] int ranks() const { return ranks_; }
  [[nodiscard]] Member& member(int rank) const;
  // Once all are in, nobody needs the name any more.
  void forget_name();

  // Moves as many bytes as fit, or are there, now.
  std::size_t write(Channel channel, int from, int to, const std::byte* data,
                    std::size_t bytes) const;
  std::size_t read(Channel channel, int from, int to, std::byte* data, std::size_t bytes) const;

  // A rank that died or failed, or -1.
  [[nodiscard]] int lost_member() const;

 private:
  using StreamPipe = PipeMemory<std::size_t{64} << 10>;
  using HostPipe = PipeMemory<256>;
  [[nodiscard]] std::size_t pair(int from, int to) const;
  [[nodiscard]] StreamPipe& stream_pipe(int from, int to) const;
  [[nodiscard]] HostPipe& host_pipe(int from, int to) const;

  std::string name_;
  int ranks_;
  std::size_t bytes_ = 0;
  std::byte* base_ = nullptr;
  bool named_ = true;
};

// True while the process runs; a zombie does not.
[[nodiscard]] bool is_alive(int pid);

}  // namespace stepmark::emulation
