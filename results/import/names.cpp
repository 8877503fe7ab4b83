// SPDX-License-Identifier: Apache-2.0
// Names are compared by their letters and digits alone, since tools agree on nothing else.
#include "results/import/names.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "core/metrics.h"
#include "results/import/text_lines.h"

namespace stepmark {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// Letters and digits only: what is left when tools disagree about "_", "-" and capitals.
std::string bare(std::string_view name) {
  std::string out;
  for (const char c : lower_case(name)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

constexpr std::array<Pair, 16> kCollectives{{{"allreduce", "all_reduce"},
                                             {"allgather", "all_gather"},
                                             {"allgatherv", "all_gather_v"},
                                             {"reducescatter", "reduce_scatter"},
                                             {"alltoall", "all_to_all"},
                                             {"alltoallpersonalizedexchange", "all_to_all"},
                                             {"alltoallv", "all_to_all_v"},
                                             {"alltoallvpersonalizedexchange", "all_to_all_v"},
                                             {"broadcast", "broadcast"},
                                             {"bcast", "broadcast"},
                                             {"reduce", "reduce"},
                                             {"gather", "gather"},
                                             {"scatter", "scatter"},
                                             {"sendrecv", "send_recv"},
                                             {"barrier", "barrier"},
                                             {"hypercube", "hypercube"}}};

constexpr std::array<Pair, 32> kTypes{{{"float", "fp32"},
                                       {"mpi_float", "fp32"},
                                       {"float32", "fp32"},
                                       {"fp32", "fp32"},
                                       {"double", "fp64"},
                                       {"mpi_double", "fp64"},
                                       {"float64", "fp64"},
                                       {"half", "fp16"},
                                       {"float16", "fp16"},
                                       {"fp16", "fp16"},
                                       {"bfloat16", "bf16"},
                                       {"bf16", "bf16"},
                                       {"fp8_e4m3", "fp8e4m3"},
                                       {"f8e4m3", "fp8e4m3"},
                                       {"fp8_e5m2", "fp8e5m2"},
                                       {"f8e5m2", "fp8e5m2"},
                                       {"char", "int8"},
                                       {"mpi_char", "int8"},
                                       {"mpi_signed_char", "int8"},
                                       {"int8", "int8"},
                                       {"mpi_byte", "uint8"},
                                       {"uint8", "uint8"},
                                       {"int", "int32"},
                                       {"mpi_int", "int32"},
                                       {"int32", "int32"},
                                       {"uint32", "uint32"},
                                       {"mpi_unsigned", "uint32"},
                                       {"int64", "int64"},
                                       {"mpi_long", "int64"},
                                       {"mpi_long_long", "int64"},
                                       {"uint64", "uint64"},
                                       {"float8_e4m3", "fp8e4m3"}}};

// Words of letters, digits, "_" and "-".
std::vector<std::string_view> names_in(std::string_view text) {
  std::vector<std::string_view> out;
  const auto part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && part(text[end])) ++end;
    if (end > i) out.push_back(text.substr(i, end - i));
    i = end + 1;
  }
  return out;
}

// The longest collective whose name is among the parts of a word: "2-node_all_reduce_fp32".
std::string collective_within(std::string_view word) {
  const std::string letters = bare(word);
  std::string best, name;
  for (const auto& [theirs, ours] : kCollectives) {
    if (theirs.size() > best.size() && letters.find(theirs) != std::string::npos) {
      best = theirs;
      name = ours;
    }
  }
  return name;
}

}  // namespace

std::string collective_name(std::string_view name) {
  std::string letters = bare(name);
  for (const std::string_view lead : {"nccl", "rccl", "osu", "mpi"}) {
    if (letters.starts_with(lead) && letters.size() > lead.size()) letters.erase(0, lead.size());
  }
  for (const std::string_view tail : {"mpi", "perf"}) {
    if (letters.ends_with(tail) && letters.size() > tail.size()) {
      letters.resize(letters.size() - tail.size());
    }
  }
  const auto* const found = std::find_if(kCollectives.begin(), kCollectives.end(),
                                         [&](const Pair& pair) { return pair.first == letters; });
  if (found != kCollectives.end()) return std::string(found->second);
  const auto kinds = collective_kinds();  // those of ours that others lack
  const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                 [&](CollectiveKind one) { return bare(name_of(one)) == letters; });
  return kind == kinds.end() ? std::string() : std::string(name_of(*kind));
}

std::string collective_named_in(std::string_view text) {
  std::set<std::string> programs, others;  // what names a program of the suite counts first
  for (const std::string_view word : names_in(text)) {
    const std::string name = collective_within(word);
    if (name.empty()) continue;
    (word.find("_perf") == std::string_view::npos ? others : programs).insert(name);
  }
  const auto& chosen = programs.empty() ? others : programs;
  return chosen.size() == 1 ? *chosen.begin() : std::string();
}

std::string dtype_name(std::string_view name) {
  const std::string lower = lower_case(name);
  const auto* const found = std::find_if(kTypes.begin(), kTypes.end(),
                                         [&](const Pair& pair) { return pair.first == lower; });
  return found == kTypes.end() ? lower : std::string(found->second);
}

bool is_dtype(std::string_view name) {
  const std::string lower = lower_case(name);
  return std::any_of(kTypes.begin(), kTypes.end(),
                     [&](const Pair& pair) { return pair.first == lower; });
}

bool reduces(std::string_view collective) {
  return collective == "all_reduce" || collective == "reduce" || collective == "reduce_scatter";
}

std::string known_collectives() {
  std::string out;
  for (const CollectiveKind kind : collective_kinds()) {
    if (!out.empty()) out += ", ";
    out += name_of(kind);
  }
  return out;
}

}  // namespace stepmark
