// SPDX-License-Identifier: Apache-2.0
// The command `doctor`: shows what was found, one line each.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/output.h"
#include "core/utf8.h"
#include "harness/cli/commands.h"
#include "harness/doctor/doctor.h"
#include "results/record/json_text.h"
#include "results/views/table/text_table.h"

namespace stepmark {

ExitCode doctor_command(const DoctorOptions& options) {
  bool broken = false;
  nlohmann::json json = nlohmann::json::array();
  std::string text;
  for (const Finding& finding : examine_host(options.ranks)) {
    broken = broken || finding.health == Health::broken;
    json.push_back({{"what", finding.what},
                    {"health", name_of(finding.health)},
                    {"found", finding.found},
                    {"advice", finding.advice}});
    text += fmt::format("{:8} {:11} {}\n", name_of(finding.health), finding.what, finding.found);
    if (!finding.advice.empty())
      text += std::string(21, ' ') + "-> " + wrapped(finding.advice, 24, 79);
  }
  text = options.json ? json_text(json, {.indent = 2}) + "\n" : printable(text);
  write_stdout(text);
  return broken ? ExitCode::kEnvironment : ExitCode::kOk;
}

}  // namespace stepmark
