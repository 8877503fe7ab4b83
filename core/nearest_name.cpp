// SPDX-License-Identifier: Apache-2.0
// Suggestions for misspelt names, by the number of edits between them: optimal string alignment
// (insertion, deletion, substitution, neighbours exchanged), by dynamic programming over three
// rows.
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

// Both at most kLongestCompared long. Two neighbours that changed places are one edit.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::array<std::size_t, kLongestCompared + 1>, 3> rows{};
  std::iota(rows[0].begin(), rows[0].end(), std::size_t{0});
  const auto same = [&](std::size_t i, std::size_t j) { return lower(a[i]) == lower(b[j]); };
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = above[j - 1] + (same(i - 1, j - 1) ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitute});
      if (i > 1 && j > 1 && same(i - 1, j - 2) && same(i - 2, j - 1)) {
        row[j] = std::min(row[j], rows[(i + 1) % 3][j - 2] + 1);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
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
  // Near: about a third of the longer name differs, but always one edit and never everything.
  const std::size_t longest = std::max(wrong.size(), best->size());
  const std::size_t allowed = std::max<std::size_t>(1, (longest + 1) / 3);
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
