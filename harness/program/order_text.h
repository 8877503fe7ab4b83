// SPDX-License-Identifier: Apache-2.0
// Ops in their order as one line of an error, the one at fault marked: what came before it and what
// would have come after tells more than the op alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "harness/program/program.h"

namespace stepmark {

// What a message is by the label of its op ("F3.s1" of "send.F3.s1,recv.B0.s0" as sent): pipelines
// name both ends alike. Empty: the label does not say.
inline constexpr std::string_view kSend = "send.", kReceive = "recv.";
[[nodiscard]] std::string_view name_in(std::string_view label, std::string_view verb);

// "... a b [c] d e ...": the labels of `ops` (indices, in order) around number `marked`, which is
// in brackets; "[nothing]" where there are fewer. With a verb, the names of what is sent or
// received instead.
[[nodiscard]] std::string order_around(const Program& program, std::span<const std::int32_t> ops,
                                       std::size_t marked, std::string_view verb = {});

}  // namespace stepmark
