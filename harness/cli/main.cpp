// SPDX-License-Identifier: Apache-2.0
// The only place that turns errors into exit codes.
#include <exception>

#include "core/log.h"
#include "harness/cli/parse.h"
#include "harness/cli/together.h"

int main(int argc, char** argv) {
  using namespace stepmark;
  try {
    return static_cast<int>(parse_and_run(argc, argv));
  } catch (const QuietStop& stop) {  // another rank has the message
    return static_cast<int>(stop.code);
  } catch (const Error& error) {
    log_error("{}", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    log_error("unexpected: {}", error.what());
    return static_cast<int>(ExitCode::kEnvironment);
  }
}
