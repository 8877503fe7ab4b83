// SPDX-License-Identifier: Apache-2.0
// The levels of the x86-64 psABI, by those of their features that compilers can ask for. Of the
// rest (LZCNT, MOVBE, F16C) no processor with AVX2, FMA and BMI2 is without.
#include "kernels/host/cpu/cpu.h"

namespace stepmark {
namespace {

bool has_v2() {
  return __builtin_cpu_supports("sse3") != 0 && __builtin_cpu_supports("ssse3") != 0 &&
         __builtin_cpu_supports("sse4.1") != 0 && __builtin_cpu_supports("sse4.2") != 0 &&
         __builtin_cpu_supports("popcnt") != 0;
}
bool has_v3() {
  return has_v2() && __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
         __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0;
}
bool has_v4() {
  return has_v3() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512cd") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
}

}  // namespace

bool cpu_has(std::string_view instruction_set) {
  if (instruction_set == "x86-64-v4") return has_v4();
  if (instruction_set == "x86-64-v3") return has_v3();
  if (instruction_set == "x86-64-v2") return has_v2();
  return instruction_set == "x86-64";
}

}  // namespace stepmark
