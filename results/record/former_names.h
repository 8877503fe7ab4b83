// SPDX-License-Identifier: Apache-2.0
// What earlier builds called otherwise. Journals outlive the words of the program that wrote them:
// names of metrics and texts are read as today's, so that old and new runs compare.
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace stepmark {

[[nodiscard]] constexpr std::string_view name_today(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kFormer = {
      {{"floor", "bound"},
       {"product", "gemm_title"},
       {"product_engine", "gemm_engine"},
       {"product_algorithms", "gemm_algorithms"}}};
  for (const auto& [former, today] : kFormer) {
    if (name == former) return today;
  }
  return name;
}

}  // namespace stepmark
