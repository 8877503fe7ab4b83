// SPDX-License-Identifier: Apache-2.0
// Two maxima over ranks: who of those that failed speaks (the lowest), and with which exit code the
// others stop. No message crosses ranks.
#include "core/together.h"

#include <array>
#include <exception>
#include <limits>

namespace stepmark {

void together(Control& control, const std::function<void()>& action) {
  std::exception_ptr failure;
  auto code = ExitCode::kOk;
  try {
    action();
  } catch (const Error& error) {
    failure = std::current_exception();
    code = error.code();
  } catch (const std::exception&) {
    failure = std::current_exception();
    code = ExitCode::kEnvironment;
  }
  constexpr double kNobody = -std::numeric_limits<double>::infinity();
  std::array<double, 1> lowest{failure ? -control.rank() : kNobody};
  control.max_in_place(lowest);
  if (lowest[0] == kNobody) return;
  const bool speaks = lowest[0] == -control.rank();
  std::array<double, 1> its_code{speaks ? static_cast<double>(code) : 0.0};
  control.max_in_place(its_code);
  if (speaks) std::rethrow_exception(failure);
  throw QuietStop{static_cast<ExitCode>(static_cast<int>(its_code[0]))};
}

}  // namespace stepmark
