// SPDX-License-Identifier: Apache-2.0
// Where in a program something failed, in words that every device uses alike.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include "harness/program/program.h"

namespace stepmark {

// "rank 3: op 17 "layer3.qkv" on stream compute".
[[nodiscard]] std::string place_of(const Program& program, std::int32_t op);

// Throws the failure as an Error whose message begins with the place. An Error keeps its code and
// expression; anything else is kEnvironment.
[[noreturn]] void rethrow_from(const std::string& place, const std::exception_ptr& failure);

}  // namespace stepmark
