// SPDX-License-Identifier: Apache-2.0
#include "core/control.h"

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

std::unique_ptr<Control> make_solo_control() { return std::make_unique<SoloControl>(); }

}  // namespace stepmark
