// SPDX-License-Identifier: Apache-2.0
// The life of emulated communicators: init, split, finalize, destroy, abort, errors.
#include <cuda_runtime_api.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "tests/emulation/nccl/handles.h"
#include "tests/emulation/nccl/injection.h"

namespace stepmark::emulation {
namespace {

constexpr unsigned int kConfigMagic = 0xcafebeef;

ncclResult_t check_config(const ncclConfig_t* config) {
  if (config == nullptr) return ncclSuccess;
  if (config->magic != kConfigMagic || config->size > sizeof(ncclConfig_t)) {
    return failed(ncclInvalidArgument, "config was not initialised by NCCL_CONFIG_INITIALIZER");
  }
  if (config->version > static_cast<unsigned int>(emulated_version())) {
    return failed(ncclInvalidArgument, "config is newer than the library");
  }
  if (config->blocking == 0) {
    return failed(ncclInvalidUsage, "the emulation has no non-blocking communicators");
  }
  const int undefined = NCCL_CONFIG_UNDEF_INT;
  const int least = config->minCTAs == undefined ? 1 : config->minCTAs;
  const int most = config->maxCTAs == undefined ? INT_MAX : config->maxCTAs;
  if (least < 1 || most < least) {
    return failed(ncclInvalidArgument, "minCTAs and maxCTAs exclude each other");
  }
  return ncclSuccess;
}

// The GPU as NCCL tells GPUs apart: by the host's name, unless NCCL_HOSTID replaces it (read once
// per process), and its address there.
std::uint64_t gpu_hash(int device) {
  static const std::uint64_t hash = [] {
    const char* id = std::getenv("NCCL_HOSTID");
    std::string text = id != nullptr ? id : "";
    if (text.empty()) {
      char name[256] = {};
      gethostname(name, sizeof(name) - 1);
      text = name;
    }
    return std::hash<std::string>{}(text);
  }();
  return hash * 1000003 + static_cast<std::uint64_t>(device);
}

// Waits until all ranks are in.
ncclResult_t join(State& state, int ranks) {
  if (!state.segment.ok()) return failed(ncclSystemError, "no shared memory " + state.name);
  Member& own = state.segment.member(state.rank);
  int nobody = 0;
  if (!own.pid.compare_exchange_strong(nobody, ::getpid())) {
    return failed(ncclInvalidUsage, "rank " + std::to_string(state.rank) + " joins twice");
  }
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return failed(ncclUnhandledCudaError, "no device");
  own.gpu = gpu_hash(device);
  own.state = MemberState::joined;
  for (int rank = 0; rank < ranks; ++rank) {
    const Member& other = state.segment.member(rank);
    while (other.state == MemberState::absent) {
      const int lost = state.segment.lost_member();
      if (lost >= 0) {
        own.state = MemberState::failed;
        return failed(ncclRemoteError, "rank " + std::to_string(lost) + " is gone");
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    if (rank != state.rank && other.gpu == own.gpu) {
      own.state = MemberState::failed;
      return failed(ncclInvalidUsage, "Duplicate GPU detected: rank " + std::to_string(state.rank) +
                                          " and rank " + std::to_string(rank) + " both on device " +
                                          std::to_string(device));
    }
  }
  state.segment.forget_name();
  return ncclSuccess;
}

ncclResult_t barrier(State& state) {
  std::byte nothing{};
  std::vector<std::byte> got(static_cast<std::size_t>(state.ranks()));
  std::vector<Transfer> transfers;
  for (int peer = 0; peer < state.ranks(); ++peer) {
    if (peer == state.rank) continue;
    transfers.push_back({peer, true, &nothing, 1, 1});
    transfers.push_back({peer, false, &got[static_cast<std::size_t>(peer)], 1, 1});
  }
  if (exchange(state, Channel::host, transfers)) return ncclSuccess;
  return state.aborted ? ncclInternalError : state.async.load();
}

struct Place {
  int color;
  int key;
  int rank;
};

// Everybody's place, or nothing when a rank was lost.
std::vector<Place> all_places(State& state, Place own) {
  std::vector<Place> places(static_cast<std::size_t>(state.ranks()));
  std::vector<Transfer> transfers;
  for (int peer = 0; peer < state.ranks(); ++peer) {
    auto* theirs = reinterpret_cast<std::byte*>(&places[static_cast<std::size_t>(peer)]);
    transfers.push_back({peer, true, reinterpret_cast<std::byte*>(&own), sizeof(Place), 2});
    transfers.push_back({peer, false, theirs, sizeof(Place), 2});
  }
  if (!exchange(state, Channel::host, transfers)) return {};
  return places;
}

ncclResult_t finalize(State& state) {
  if (state.finalized) return failed(ncclInvalidArgument, "finalized twice");
  state.finalized = true;
  const ncclResult_t result = barrier(state);
  if (result == ncclSuccess) state.segment.member(state.rank).state = MemberState::left;
  return result;
}

}  // namespace
}  // namespace stepmark::emulation

using namespace stepmark::emulation;  // NOLINT: the functions below are this file's purpose

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  if (version == nullptr) return ncclInvalidArgument;
  *version = emulated_version();
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclSystemError:
      return "unhandled system error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "NCCL operation in progress";
    default:
      return "internal error";
  }
}

const char* ncclGetLastError(ncclComm_t) {
  thread_local std::string text;
  text = last_error();
  return text.c_str();
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  if (id == nullptr) return failed(ncclInvalidArgument, "no place for the id");
  std::random_device random;
  const std::string name = "/stepmark-nccl-" + std::to_string(::getpid()) + "-" +
                           std::to_string(random()) + std::to_string(random());
  std::memset(id, 0, sizeof(*id));
  std::memcpy(id->internal, name.data(), name.size());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (comm == nullptr) return failed(ncclInvalidArgument, "no place for the communicator");
  *comm = nullptr;
  if (ranks < 1 || ranks > Segment::kMaxRanks || rank < 0 || rank >= ranks) {
    return failed(ncclInvalidArgument,
                  "rank " + std::to_string(rank) + " of " + std::to_string(ranks));
  }
  if (const ncclResult_t bad = check_config(config); bad != ncclSuccess) return bad;
  id.internal[NCCL_UNIQUE_ID_BYTES - 1] = '\0';
  if (id.internal[0] != '/') return failed(ncclInvalidArgument, "not a unique id");
  note_rank(rank);
  delay_init();
  auto state = std::make_shared<State>(id.internal, rank, ranks);
  const ncclResult_t joined = join(*state, ranks);
  if (joined == ncclSuccess) {
    *comm = add_handle(std::move(state));
    log_start(rank, ranks);
  }
  return joined;
}

ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t* part,
                           ncclConfig_t* config) {
  const auto state = state_of(comm);
  if (state == nullptr || part == nullptr) return failed(ncclInvalidArgument, "no communicator");
  *part = nullptr;
  if (color < 0 && color != NCCL_SPLIT_NOCOLOR) return failed(ncclInvalidArgument, "color");
  if (const ncclResult_t bad = check_config(config); bad != ncclSuccess) return bad;
  if (const ncclResult_t bad = state->async_error(); bad != ncclSuccess) return bad;
  const auto places = all_places(*state, {color, key, state->rank});
  if (places.empty()) return state->async;
  const int split = state->splits++;
  if (color == NCCL_SPLIT_NOCOLOR) return ncclSuccess;
  int size = 0;
  int rank = 0;
  for (const Place& p : places) {
    if (p.color != color) continue;
    ++size;
    rank += p.key < key || (p.key == key && p.rank < state->rank) ? 1 : 0;
  }
  auto group = std::make_shared<State>(
      state->name + "-" + std::to_string(split) + "." + std::to_string(color), rank, size);
  const ncclResult_t joined = join(*group, size);
  if (joined == ncclSuccess) *part = add_handle(std::move(group));
  return joined;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const auto state = state_of(comm);
  if (state == nullptr) return failed(ncclInvalidArgument, "no communicator");
  return finalize(*state);
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const auto state = remove_handle(comm);
  if (state == nullptr) return failed(ncclInvalidArgument, "no communicator, or destroyed twice");
  return state->finalized ? ncclSuccess : finalize(*state);
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  const auto state = remove_handle(comm);
  if (state == nullptr) return failed(ncclInvalidArgument, "no communicator, or destroyed twice");
  state->abort();
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* result) {
  const auto state = state_of(comm);
  if (state == nullptr || result == nullptr) return failed(ncclInvalidArgument, "no communicator");
  *result = state->async_error();
  return ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int* count) {
  const auto state = state_of(comm);
  if (state == nullptr || count == nullptr) return failed(ncclInvalidArgument, "no communicator");
  *count = state->ranks();
  return ncclSuccess;
}

ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
  const auto state = state_of(comm);
  if (state == nullptr || rank == nullptr) return failed(ncclInvalidArgument, "no communicator");
  *rank = state->rank;
  return ncclSuccess;
}

}  // extern "C"
