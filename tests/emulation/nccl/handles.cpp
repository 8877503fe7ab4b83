// SPDX-License-Identifier: Apache-2.0
#include "tests/emulation/nccl/handles.h"

#include <cstdint>
#include <map>
#include <mutex>

namespace stepmark::emulation {
namespace {

struct Table {
  std::mutex mutex;
  std::map<ncclComm_t, std::shared_ptr<State>> states;
  std::uintptr_t next = 0x1000;
};

// Never destroyed: threads that were left behind may still ask.
Table& table() {
  static Table& instance = *new Table;
  return instance;
}

}  // namespace

ncclComm_t add_handle(std::shared_ptr<State> state) {
  Table& t = table();
  const std::lock_guard lock(t.mutex);
  t.next += 0x10;
  const auto handle = reinterpret_cast<ncclComm_t>(t.next);
  t.states[handle] = std::move(state);
  return handle;
}

std::shared_ptr<State> state_of(ncclComm_t comm) {
  Table& t = table();
  const std::lock_guard lock(t.mutex);
  const auto found = t.states.find(comm);
  return found == t.states.end() ? nullptr : found->second;
}

std::shared_ptr<State> remove_handle(ncclComm_t comm) {
  Table& t = table();
  const std::lock_guard lock(t.mutex);
  const auto found = t.states.find(comm);
  if (found == t.states.end()) return nullptr;
  auto state = std::move(found->second);
  t.states.erase(found);
  return state;
}

}  // namespace stepmark::emulation
