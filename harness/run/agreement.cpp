// SPDX-License-Identifier: Apache-2.0
// A hash in four parts and their negatives: one maximum over ranks tells in one round whether all
// have the same text. Only where they differ are keys compared, to name the first and who has which
// value.
#include "harness/run/agreement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "core/build_info.h"
#include "core/environment_variable.h"
#include "core/error.h"
#include "core/sha256.h"
#include "core/together.h"
#include "results/record/journal.h"
#include "results/record/json_text.h"

namespace stepmark {
namespace {

// Of a host or a rank: where its devices are and where it writes.
constexpr std::array<std::string_view, 13> kOfAHost{
    "NCCL_SOCKET_IFNAME", "NCCL_IB_HCA",     "NCCL_IB_GID_INDEX",   "NCCL_HOSTID",
    "NCCL_TOPO_FILE",     "NCCL_TOPO_DUMP",  "NCCL_GRAPH_DUMP",     "NCCL_CONF_FILE",
    "NCCL_COMM_ID",       "NCCL_NET_DEVICE", "NCCL_OOB_NET_IFNAME", "NCCL_GRAPH_FILE",
    "NCCL_CROSS_NIC"};
constexpr std::array<std::string_view, 6> kTogether{"NCCL_",          "OMPI_MCA_coll",
                                                    "OMPI_MCA_pml",   "STEPMARK_ATTENTION",
                                                    "STEPMARK_GEMM_", "STEPMARK_INSTRUCTION_SET"};

std::string build_value(const BuildInfo& build) {
  return fmt::format("{} {}{}", build.version, build.git_revision, build.git_dirty ? "+" : "");
}

FlatConfig shared_variables() {
  FlatConfig variables;
  for_each_environment_variable([&](std::string_view name, std::string_view value) {
    if (!variable_must_agree(name)) return;
    variables.emplace_back(fmt::format("environment variable {}", name), std::string(value));
  });
  std::sort(variables.begin(), variables.end());
  return variables;
}

std::string as_text(const FlatConfig& notes) {
  return json_text(nlohmann::json(notes), {.ascii_only = true});
}

// Whether all ranks have the same text: a hash in parts that a double holds exactly, and their
// negatives, so that one maximum gives both the largest and the smallest.
bool all_equal(Control& control, const std::string& text) {
  const std::string digest = sha256(text);
  constexpr std::size_t kParts = 4;
  constexpr std::size_t kDigits = 8;  // 32 bits
  std::array<double, 2 * kParts> parts{};
  for (std::size_t i = 0; i < kParts; ++i) {
    parts[i] = static_cast<double>(std::stoul(digest.substr(i * kDigits, kDigits), nullptr, 16));
    parts[kParts + i] = -parts[i];
  }
  control.max_in_place(parts);
  for (std::size_t i = 0; i < kParts; ++i) {
    if (parts[i] != -parts[kParts + i]) return false;
  }
  return true;
}

// "0, 2-5"
std::string rank_list(const std::vector<int>& ranks) {
  std::string text;
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", ranks[i]);
    if (last > i) text += fmt::format("-{}", ranks[last]);
    i = last + 1;
  }
  return fmt::format("rank{} {}", ranks.size() > 1 ? "s" : "", text);
}

std::optional<std::string> value_of(const FlatConfig& notes, const std::string& key) {
  const auto at =
      std::find_if(notes.begin(), notes.end(), [&](const auto& note) { return note.first == key; });
  return at == notes.end() ? std::nullopt : std::optional(at->second);
}

// The place of a key in the order in which differences are named.
std::size_t place(const FlatConfig& root, const std::string& key) {
  const auto at =
      std::find_if(root.begin(), root.end(), [&](const auto& note) { return note.first == key; });
  return static_cast<std::size_t>(at - root.begin());
}

// Collective; on rank 0 the first key in which any rank differs from it.
std::string key_that_differs(Control& control, const FlatConfig& notes) {
  const FlatConfig root =
      nlohmann::json::parse(control.broadcast(as_text(notes))).get<FlatConfig>();
  const auto difference = first_difference(root, notes);
  std::string first;
  for (const std::string& key : control.gather(difference ? difference->key : std::string())) {
    if (key.empty()) continue;
    if (first.empty() || place(root, key) < place(root, first)) first = key;
  }
  return control.broadcast(first);
}

std::string message(const std::string& key, const std::vector<std::string>& values) {
  std::map<std::string, std::vector<int>> ranks;
  for (std::size_t rank = 0; rank < values.size(); ++rank) {
    ranks[values[rank]].push_back(static_cast<int>(rank));
  }
  std::vector<std::pair<std::vector<int>, std::string>> parts;  // by their lowest rank
  for (const auto& [value, who] : ranks) parts.emplace_back(who, value);
  std::sort(parts.begin(), parts.end());
  std::vector<std::string> texts;
  constexpr std::size_t kMostValues = 4;
  for (const auto& [who, value] : parts) {
    if (texts.size() == kMostValues) break;
    texts.push_back(fmt::format("{} on {}", value, rank_list(who)));
  }
  if (parts.size() > kMostValues) {
    texts.push_back(fmt::format("{} more values", parts.size() - kMostValues));
  }
  return fmt::format(
      "the ranks do not agree: {}: {}; nothing was measured, give all ranks the same program, "
      "options, files and variables",
      key, fmt::join(texts, ", "));
}

}  // namespace

bool variable_must_agree(std::string_view name) {
  if (std::find(kOfAHost.begin(), kOfAHost.end(), name) != kOfAHost.end()) return false;
  if (name.starts_with("NCCL_DEBUG") || name.ends_with("_FILE")) return false;
  return std::any_of(kTogether.begin(), kTogether.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

FlatConfig program_notes() {
  const BuildInfo& build = build_info();
  FlatConfig notes{{"program", build_value(build)},
                   {"build type", std::string(build.build_type)},
                   {"journal schema", std::to_string(kSchemaVersion)},
                   {"binary (SHA-256)", sha256_of_file("/proc/self/exe")}};
  for (auto& variable : shared_variables()) notes.push_back(std::move(variable));
  return notes;
}

void compare_notes(Control& control, const FlatConfig& notes) {
  if (all_equal(control, as_text(notes))) return;
  const std::string key = key_that_differs(control, notes);
  const auto values = control.gather(shown_value(value_of(notes, key)));
  if (control.rank() != 0) throw QuietStop{ExitCode::kUsage};
  throw Error(ExitCode::kUsage, message(key, values));
}

}  // namespace stepmark
