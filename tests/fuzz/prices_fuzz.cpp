// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, a price file either gives prices that costs can be made of or ends in an
// Error: positive, in one currency, of a day.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "results/money/calendar.h"
#include "results/money/cost.h"
#include "results/money/prices.h"

namespace stepmark {
namespace {

void use(const PriceFile& file) {
  static_cast<void>(price_remarks(file, *parse_day("2026-11-29")));
  if (file.currency.size() != 3) std::abort();
  for (const ProviderPrices& provider : file.providers) {
    for (const Price& price : provider.prices) {
      const double hour = price.per_gpu_hour;
      if (!(hour > 0) || !std::isfinite(hour) || price.goodput.value_or(1) > 1) std::abort();
      static_cast<void>(cost_per_million_tokens({1e3, 9e2, 1.1e3}, hour));
      static_cast<void>(break_even_price(hour, {1.1, 1.0, 1.2},
                                         {.extra_per_gpu_hour = provider.extra.per_hour()},
                                         {.goodput = price.goodput.value_or(1)}));
    }
  }
}

}  // namespace
}  // namespace stepmark

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    stepmark::use(stepmark::parse_prices(text, "fuzz.yaml"));
  } catch (const stepmark::Error&) {
    // Refusing the input is one of the two right answers.
  }
  return 0;
}
