// SPDX-License-Identifier: Apache-2.0
// Architectures whose one set of host kernels is what the compiler takes for granted.
#include "kernels/host/cpu/cpu.h"

namespace stepmark {

bool cpu_has(std::string_view instruction_set) { return instruction_set == "baseline"; }

}  // namespace stepmark
