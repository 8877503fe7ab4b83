// SPDX-License-Identifier: Apache-2.0
// Labels around the marked one, as many on either side as one line holds.
#include "harness/program/order_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stepmark {
namespace {

constexpr std::size_t kNames = 6, kLabels = 3;  // on either side; names are short

}  // namespace

std::string_view name_in(std::string_view label, std::string_view verb) {
  for (std::size_t begin = 0; begin < label.size();) {
    const std::size_t end = std::min(label.find(',', begin), label.size());
    const std::string_view part = label.substr(begin, end - begin);
    if (part.starts_with(verb)) return part.substr(verb.size());
    begin = end + 1;
  }
  return {};
}

std::string order_around(const Program& program, std::span<const std::int32_t> ops,
                         std::size_t marked, std::string_view verb) {
  const std::size_t around = verb.empty() ? kLabels : kNames;
  const std::size_t known = std::min(marked, ops.size());
  const std::size_t begin = known - std::min(known, around);
  const std::size_t end = std::min(ops.size(), marked + around + 1);
  std::string text = begin > 0 ? " ..." : "";
  for (std::size_t i = begin; i < end; ++i) {
    const std::string& label = program.ops[static_cast<std::size_t>(ops[i])].label;
    const std::string_view name = verb.empty() ? label : name_in(label, verb);
    text += fmt::format(fmt::runtime(i == marked ? " [{}]" : " {}"), name);
  }
  if (ops.size() <= marked) text += " [nothing]";
  return end < ops.size() ? text + " ..." : text;
}

}  // namespace stepmark
