// SPDX-License-Identifier: Apache-2.0
// Rows exist only for records with telemetry: no table at all on a host without a GPU.
#include "results/views/table/device_table.h"

#include <fmt/format.h>

#include "results/record/common_facts.h"
#include "results/views/table/format.h"
#include "results/views/table/text_table.h"

namespace stepmark {

std::string device_table(const Run& run) {
  TextTable table({{"device while sampled", Align::left},
                   {"power W"},
                   {"most"},
                   {"SM MHz"},
                   {"least"},
                   {"°C"},
                   {"J/sample"},
                   {"throttled", Align::left}});
  for (const auto& record : run.records) {
    if (record.outcome != Outcome::ok || !record.number(facts::kTelemetrySamples)) continue;
    const auto cell = [&](const char* name) { return format_number(record.number(name)); };
    const std::string reasons = record.text(facts::kThrottleReasons);
    table.add({record.case_id, cell(facts::kPowerW), cell(facts::kPowerWMax),
               cell(facts::kSmClockMhz), cell(facts::kSmClockMhzMin), cell(facts::kTemperatureCMax),
               cell(facts::kJoulesPerSample), reasons.empty() ? "no" : reasons});
  }
  return table.empty()
             ? std::string{}
             : fmt::format("Devices (worst of all ranks; energy of all)\n{}\n", table.text());
}

}  // namespace stepmark
