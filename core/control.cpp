// SPDX-License-Identifier: Apache-2.0
// The helpers over ranks that every caller needs, in terms of Control alone, and the control plane
// of a single process, for which there is nobody to ask.
#include "core/control.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace stepmark {
namespace {

class SoloControl final : public Control {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 1; }
  [[nodiscard]] int local_rank() const override { return 0; }
  [[nodiscard]] int local_size() const override { return 1; }
  void barrier() override {}
  void max_in_place(std::span<double>) override {}
  [[nodiscard]] std::string broadcast(std::string text) override { return text; }
  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override { return {text}; }
};

}  // namespace

double max_over_ranks(Control& control, double value) {
  std::array<double, 1> values{value};
  control.max_in_place(values);
  return values[0];
}

bool all_ranks(Control& control, bool value) {
  return max_over_ranks(control, value ? 0.0 : 1.0) == 0.0;
}

double value_of_root(Control& control, double value) {
  return std::stod(control.broadcast(fmt::format("{:.17g}", value)));
}

std::unique_ptr<Control> make_solo_control() { return std::make_unique<SoloControl>(); }

}  // namespace stepmark
