// SPDX-License-Identifier: Apache-2.0
// The only place that turns errors into exit codes.
#include <chrono>
#include <exception>
#include <thread>

#include "core/error.h"
#include "core/log.h"
#include "core/output.h"
#include "core/together.h"
#include "harness/cli/parse.h"
#include "harness/run/launch.h"

namespace {

// A mistake in the command line is found by all ranks, before they know each other: rank 0 says it,
// and the others leave after it, since a launcher ends the job when the first one leaves.
void speak(const stepmark::Error& error) {
  using namespace stepmark;
  const bool job_started = identity().rank >= 0;
  if (error.code() == ExitCode::kUsage && !job_started && own_launch().rank > 0) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    return;
  }
  log_error("{}", error.what());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace stepmark;
  try {
    return static_cast<int>(parse_and_run(argc, argv));
  } catch (const QuietStop& stop) {  // another rank has the message
    return static_cast<int>(stop.code);
  } catch (const OutputClosed&) {
    return kClosedOutputCode;
  } catch (const Error& error) {
    speak(error);
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    log_error("unexpected: {}", error.what());
    return static_cast<int>(ExitCode::kEnvironment);
  }
}
