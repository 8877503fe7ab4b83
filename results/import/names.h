// SPDX-License-Identifier: Apache-2.0
// What other tools call collectives and types, in our words. Internal to results/import.
#pragma once

#include <string>
#include <string_view>

namespace stepmark {

// "all_reduce_perf", "Allreduce", "alltoall", "nccl-all-gather" -> "all_reduce", ...; empty when
// the name is none of a collective. "hypercube", which some have and we do not, keeps its name.
[[nodiscard]] std::string collective_name(std::string_view name);
// The collective that a text with other words in it names: a command line, a file's name. Empty
// when it names none, or several.
[[nodiscard]] std::string collective_named_in(std::string_view text);
// "float" -> "fp32", "MPI_INT" -> "int32"; what is not known stays as it is.
[[nodiscard]] std::string dtype_name(std::string_view name);
[[nodiscard]] bool is_dtype(std::string_view name);
// Whether records of it name the operator.
[[nodiscard]] bool reduces(std::string_view collective);
// "all_reduce, all_gather, ...", for messages.
[[nodiscard]] std::string known_collectives();

}  // namespace stepmark
