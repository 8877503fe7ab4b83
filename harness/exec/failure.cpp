// SPDX-License-Identifier: Apache-2.0
// The exit code and expression of an Error survive when the place is put in front; other exceptions
// become Errors.
#include "harness/exec/failure.h"

#include "core/error.h"

namespace stepmark {

std::string place_of(const Program& program, std::int32_t op) {
  const Op& failed = program.ops[static_cast<std::size_t>(op)];
  return fmt::format("rank {}: op {} \"{}\" on stream {}", program.rank, op, failed.label,
                     program.streams[static_cast<std::size_t>(failed.stream)]);
}

void rethrow_from(const std::string& place, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", place, error.message()), error.expression());
  } catch (const std::exception& error) {
    throw Error(ExitCode::kEnvironment, fmt::format("{}: {}", place, error.what()));
  } catch (...) {
    throw Error(ExitCode::kEnvironment, fmt::format("{}: an exception of unknown type", place));
  }
}

}  // namespace stepmark
