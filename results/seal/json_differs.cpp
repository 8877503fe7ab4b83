// SPDX-License-Identifier: Apache-2.0
// Walks both values side by side; depth is bounded by parse_json().
#include "results/seal/json_differs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "results/record/json_text.h"

namespace stepmark {

namespace {

constexpr double kTolerance = 1e-9;  // as of figures: results/record/recompute.cpp
// What an object of verdicts is called by.
constexpr std::array<const char*, 7> kNames{"floor",    "workload", "case_id", "id",
                                            "provider", "journal",  "label"};

bool alike(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number() && b.is_number()) {
    const auto x = a.get<double>(), y = b.get<double>();
    return std::abs(x - y) <= kTolerance * std::max({std::abs(x), std::abs(y), 1e-300});
  }
  return a == b;
}

std::string shown(const nlohmann::json& value) {
  return value.is_structured() ? fmt::format("{} of {}", value.type_name(), value.size())
                               : json_text(value);
}

class Walk {
 public:
  explicit Walk(bool known_only) : known_only_(known_only) {}

  std::optional<JsonDifference> differs(const nlohmann::json& a, const nlohmann::json& b) {
    if (a.is_object() && b.is_object()) return in_objects(a, b);
    if (a.is_array() && b.is_array() && a.size() == b.size()) {
      for (std::size_t i = 0; i < a.size(); ++i) {
        const Step step(*this, fmt::format("[{}]", i), i);
        if (auto found = differs(a[i], b[i])) return found;
      }
      return std::nullopt;
    }
    if (alike(a, b)) return std::nullopt;
    return said(fmt::format("{}, {} follows", shown(a), shown(b)));
  }

 private:
  // One deeper, and back when it goes.
  class Step {
   public:
    template <class Key>
    Step(Walk& walk, const std::string& text, const Key& key) : walk_(walk) {
      walk_.texts_.push_back(text);
      walk_.place_.push_back(to_text(key));
    }
    ~Step() {
      walk_.texts_.pop_back();
      walk_.place_.pop_back();
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    Step(Step&&) = delete;
    Step& operator=(Step&&) = delete;

   private:
    static std::string to_text(std::size_t index) { return std::to_string(index); }
    static std::string to_text(const std::string& key) { return key; }
    Walk& walk_;
  };

  std::optional<JsonDifference> in_objects(const nlohmann::json& a, const nlohmann::json& b) {
    const auto before = names_.size();
    for (const char* name : kNames) {
      if (!a.contains(name)) continue;
      const auto* text = a.at(name).get_ptr<const std::string*>();
      if (text == nullptr) continue;
      names_.push_back(fmt::format("{} {}", name, *text));
      break;
    }
    auto found = members(a, b);
    names_.resize(before);
    return found;
  }

  std::optional<JsonDifference> members(const nlohmann::json& a, const nlohmann::json& b) {
    for (const auto& [key, value] : a.items()) {
      const Step step(*this, (texts_.empty() ? "" : ".") + key, key);
      const auto other = b.find(key);
      if (other != b.end()) {
        if (auto found = differs(value, *other)) return found;
      } else if (!known_only_) {
        return said("nothing like that follows");
      }
    }
    for (const auto& [key, value] : b.items()) {
      if (known_only_ || a.contains(key)) continue;
      return said(fmt::format("'{}' is missing", key));
    }
    return std::nullopt;
  }

  [[nodiscard]] JsonDifference said(const std::string& what) const {
    JsonDifference out;
    out.text = fmt::format("{}{}{}{}", fmt::join(texts_, ""), texts_.empty() ? "" : ": ", what,
                           names_.empty() ? "" : fmt::format(" ({})", fmt::join(names_, ", ")));
    for (const auto& step : place_) out.place.push_back(step);
    return out;
  }

  bool known_only_;
  std::vector<std::string> texts_, place_, names_;
};

}  // namespace

std::optional<JsonDifference> first_difference_of(const nlohmann::json& claimed,
                                                  const nlohmann::json& follows, bool known_only) {
  return Walk(known_only).differs(claimed, follows);
}

std::int64_t line_of(const nlohmann::json& json, const nlohmann::json::json_pointer& place,
                     std::string_view text) {
  constexpr const char* kMark = "no other value of a bundle is like this one";
  if (json_text(json, {.indent = 1}) + "\n" != text) return 0;
  auto marked = json;
  marked[place] = kMark;
  const auto written = json_text(marked, {.indent = 1});
  const auto at = written.find(kMark);
  if (at == std::string::npos) return 0;
  return 1 + std::count(written.begin(), written.begin() + static_cast<std::ptrdiff_t>(at), '\n');
}

}  // namespace stepmark
