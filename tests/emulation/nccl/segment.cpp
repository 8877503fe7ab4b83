// SPDX-License-Identifier: Apache-2.0
#include "tests/emulation/nccl/segment.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>

namespace stepmark::emulation {
namespace {

constexpr std::size_t kMembersBytes = 4096;
static_assert(sizeof(Member) * Segment::kMaxRanks <= kMembersBytes);

// Names that would stay in /dev/shm, should this process end before all ranks have joined.
class Leftovers {
 public:
  ~Leftovers() {
    for (const std::string& name : names_) shm_unlink(name.c_str());
  }
  void add(const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_.insert(name);
  }
  void remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_.erase(name);
  }

 private:
  std::mutex mutex_;
  std::set<std::string> names_;
};
Leftovers leftovers;

template <class Pipe>
std::size_t write_to(Pipe& pipe, const std::byte* data, std::size_t bytes) {
  const std::size_t capacity = pipe.ring.size();
  const std::uint64_t written = pipe.written.load(std::memory_order_relaxed);
  const std::uint64_t read = pipe.read.load(std::memory_order_acquire);
  const std::size_t n = std::min<std::size_t>(bytes, capacity - (written - read));
  const std::size_t at = written % capacity;
  const std::size_t first = std::min(n, capacity - at);
  if (first > 0) std::memcpy(pipe.ring.data() + at, data, first);
  if (n > first) std::memcpy(pipe.ring.data(), data + first, n - first);
  pipe.written.store(written + n, std::memory_order_release);
  return n;
}

template <class Pipe>
std::size_t read_from(Pipe& pipe, std::byte* data, std::size_t bytes) {
  const std::size_t capacity = pipe.ring.size();
  const std::uint64_t read = pipe.read.load(std::memory_order_relaxed);
  const std::uint64_t written = pipe.written.load(std::memory_order_acquire);
  const std::size_t n = std::min<std::size_t>(bytes, written - read);
  const std::size_t at = read % capacity;
  const std::size_t first = std::min(n, capacity - at);
  if (first > 0) std::memcpy(data, pipe.ring.data() + at, first);
  if (n > first) std::memcpy(data + first, pipe.ring.data(), n - first);
  pipe.read.store(read + n, std::memory_order_release);
  return n;
}

}  // namespace

Segment::Segment(std::string name, int ranks) : name_(std::move(name)), ranks_(ranks) {
  const auto pairs = static_cast<std::size_t>(ranks) * static_cast<std::size_t>(ranks);
  bytes_ = kMembersBytes + pairs * (sizeof(StreamPipe) + sizeof(HostPipe));
  const int file = shm_open(name_.c_str(), O_CREAT | O_RDWR, 0600);
  if (file < 0) return;
  leftovers.add(name_);
  void* base = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(bytes_)) == 0) {
    base = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  close(file);
  if (base != MAP_FAILED) base_ = static_cast<std::byte*>(base);
}

Segment::~Segment() {
  if (named_) forget_name();
  if (base_ != nullptr) munmap(base_, bytes_);
}

void Segment::forget_name() {
  shm_unlink(name_.c_str());  // every rank tries: the first succeeds
  leftovers.remove(name_);
  named_ = false;
}

Member& Segment::member(int rank) const { return reinterpret_cast<Member*>(base_)[rank]; }

std::size_t Segment::pair(int from, int to) const {
  return static_cast<std::size_t>(from) * static_cast<std::size_t>(ranks_) +
         static_cast<std::size_t>(to);
}

Segment::StreamPipe& Segment::stream_pipe(int from, int to) const {
  return reinterpret_cast<StreamPipe*>(base_ + kMembersBytes)[pair(from, to)];
}

Segment::HostPipe& Segment::host_pipe(int from, int to) const {
  const auto pairs = static_cast<std::size_t>(ranks_) * static_cast<std::size_t>(ranks_);
  return reinterpret_cast<HostPipe*>(base_ + kMembersBytes +
                                     pairs * sizeof(StreamPipe))[pair(from, to)];
}

std::size_t Segment::write(Channel channel, int from, int to, const std::byte* data,
                           std::size_t bytes) const {
  return channel == Channel::stream ? write_to(stream_pipe(from, to), data, bytes)
                                    : write_to(host_pipe(from, to), data, bytes);
}

std::size_t Segment::read(Channel channel, int from, int to, std::byte* data,
                          std::size_t bytes) const {
  return channel == Channel::stream ? read_from(stream_pipe(from, to), data, bytes)
                                    : read_from(host_pipe(from, to), data, bytes);
}

int Segment::lost_member() const {
  for (int rank = 0; rank < ranks_; ++rank) {
    const Member& m = member(rank);
    const MemberState state = m.state.load();
    if (state == MemberState::failed) return rank;
    if (state == MemberState::joined && !is_alive(m.pid.load())) return rank;
  }
  return -1;
}

bool is_alive(int pid) {
  if (kill(pid, 0) != 0 && errno == ESRCH) return false;
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(')');  // the name before it may hold anything
  return end == std::string::npos || end + 2 >= text.size() ||
         (text[end + 2] != 'Z' && text[end + 2] != 'X');
}

}  // namespace stepmark::emulation
