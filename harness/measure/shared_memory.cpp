// SPDX-License-Identifier: Apache-2.0
// statvfs of /dev/shm; empty where it is not mounted, which is a finding of `doctor`.
#include "harness/measure/shared_memory.h"

#include <sys/statvfs.h>

namespace stepmark {

ShmSize shm_size() {
  struct statvfs info {};
  if (statvfs("/dev/shm", &info) != 0) return {};
  const auto block = static_cast<double>(info.f_frsize);
  return {.size_bytes = static_cast<double>(info.f_blocks) * block,
          .free_bytes = static_cast<double>(info.f_bavail) * block};
}

}  // namespace stepmark
