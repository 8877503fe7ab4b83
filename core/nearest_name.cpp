// SPDX-License-Identifier: Apache-2.0
// Suggestions for misspelt names, by Levenshtein distance (single-row dynamic programme).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "core/yaml.h"

namespace stepmark {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr std::size_t kLongestCompared = 256;  // keeps hostile input cheap

// Both at most kLongestCompared long.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::size_t, kLongestCompared + 1> row{};
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view wrong, std::span<const std::string> valid) {
  if (wrong.size() > kLongestCompared) return {};
  const std::string* best = nullptr;
  std::size_t best_distance = 0;
  bool tied = false;
  for (const std::string& candidate : valid) {
    if (candidate.size() > kLongestCompared) continue;
    const std::size_t distance = edit_distance(wrong, candidate);
    if (best == nullptr || distance < best_distance) {
      best = &candidate;
      best_distance = distance;
      tied = false;
    } else if (distance == best_distance) {
      tied = true;
    }
  }
  if (best == nullptr) return {};
  // Near: at most a third of the longer name differs, but always one edit and never everything.
  const std::size_t longest = std::max(wrong.size(), best->size());
  const std::size_t allowed = std::max<std::size_t>(1, (longest + 2) / 3);
  // "pp" is as near to "dp" as to "tp" and "sp": half of a name may only differ if the other half
  // tells which one was meant.
  const bool a_guess = tied && 2 * best_distance >= longest;
  return best_distance <= allowed && best_distance < longest && !a_guess ? *best : std::string{};
}

std::string nearest_hint(std::string_view wrong, std::span<const std::string> valid) {
  return nearest_hint(wrong, valid, valid);
}

std::string nearest_hint(std::string_view wrong, std::span<const std::string> free,
                         std::span<const std::string> valid) {
  const std::string nearest = nearest_name(wrong, free);
  if (!nearest.empty()) return fmt::format("; did you mean '{}'?", nearest);
  if (valid.empty()) return {};
  return fmt::format("; valid: {}", fmt::join(valid, ", "));
}

std::string misspelling_of(std::string_view missing, std::span<const std::string> present) {
  constexpr std::size_t kMostEdits = 2;
  std::string nearest = nearest_name(missing, present);
  return nearest.empty() || edit_distance(missing, nearest) > kMostEdits ? std::string{} : nearest;
}

}  // namespace stepmark
