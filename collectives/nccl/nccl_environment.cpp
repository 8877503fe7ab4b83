// SPDX-License-Identifier: Apache-2.0
// setenv before NCCL's first call, while the process still has one thread that could read. Ranks
// that share a GPU pose as hosts of their own, since NCCL refuses two ranks on one device.
#include "collectives/nccl/nccl_environment.h"

#include <cstdlib>

#include "core/error.h"

namespace stepmark {
namespace {

// Before NCCL's first call, and so before its threads.
void set(const char* name, const std::string& value, bool overwrite) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): see above
  STEPMARK_CHECK(::setenv(name, value.c_str(), overwrite ? 1 : 0) == 0, "{} cannot be set", name);
}

}  // namespace

void pose_as_own_host(const std::string& host_id, bool one_host) {
  set("NCCL_HOSTID", host_id, true);
  set("NCCL_NET", "Socket", false);
  set("NCCL_IB_DISABLE", "1", false);
  set("NCCL_SOCKET_FAMILY", "AF_INET", false);
  if (one_host) set("NCCL_SOCKET_IFNAME", "=lo", false);
  // Were the identity lost, these make NCCL fail at once and not take another way.
  set("NCCL_P2P_DISABLE", "1", false);
  set("NCCL_SHM_DISABLE", "1", false);
  set("NCCL_NVLS_ENABLE", "0", false);
  // NCCL_MAX_CTAS stays unset: it would override CommOptions::max_ctas.
}

void log_to(const std::string& path, bool choices) {
  set("NCCL_DEBUG", "INFO", true);
  set("NCCL_DEBUG_SUBSYS", choices ? "INIT,TUNING" : "INIT", true);
  set("NCCL_DEBUG_FILE", path, true);
}

bool log_is_the_users() {
  return std::getenv("NCCL_DEBUG") != nullptr;  // NOLINT(concurrency-mt-unsafe): see above
}

}  // namespace stepmark
