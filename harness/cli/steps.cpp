// SPDX-License-Identifier: Apache-2.0
// The command `steps`: one line of JSON in, one out.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/output.h"
#include "harness/backend/backends.h"
#include "harness/cli/commands.h"
#include "harness/run/on_request.h"
#include "results/record/json_text.h"

namespace stepmark {

ExitCode steps_command(const StepsOptions& options) {
  const std::string backend = resolve_backend(options.backend);
  const auto job = make_job();
  STEPMARK_REQUIRE(job->control().size() == 1,
                   "steps are timed of one rank, and these are {}: use run", job->control().size());
  const auto machine = open_machine(backend, *job, share_resources(job->control()));
  StepsOnRequest steps(*machine);
  for (std::string line; std::getline(std::cin, line);) {
    write_stdout(json_text(steps.answer(line)) + "\n");
  }
  return ExitCode::kOk;
}

}  // namespace stepmark
