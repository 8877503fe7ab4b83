// SPDX-License-Identifier: Apache-2.0
// The host backend's table of kernels, generated from the list of ops.
#include "kernels/host/table.h"

namespace stepmark {

HostKernel host_kernel(OpId id) {
#define STEPMARK_HOST_ENTRY(name) &host_##name,
  static constexpr HostKernel kTable[] = {STEPMARK_OPS(STEPMARK_HOST_ENTRY)};
#undef STEPMARK_HOST_ENTRY
  return kTable[static_cast<std::size_t>(id)];
}

}  // namespace stepmark
