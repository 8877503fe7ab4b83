// SPDX-License-Identifier: Apache-2.0
// A binary built without the CUDA backend.
#include "core/error.h"
#include "harness/backend/backends.h"

namespace stepmark {

std::optional<Backend> cuda_backend() { return std::nullopt; }

std::unique_ptr<Machine> make_cuda_machine(Job&, const MachineOptions&) {
  throw Error(ExitCode::kUsage, "this binary was built without CUDA");
}

}  // namespace stepmark
