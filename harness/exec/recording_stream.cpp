// SPDX-License-Identifier: Apache-2.0
// Events cannot be recorded: who prepares a step knows its dependencies already. One submitted task
// is returned as it is, several as one that runs them.
#include "harness/exec/recording_stream.h"

#include <utility>

#include "core/error.h"

namespace stepmark {

void RecordingStream::submit(Task task) { tasks_.push_back(std::move(task)); }

void RecordingStream::record(Event&) {
  throw Error(ExitCode::kEnvironment, "a recording stream cannot record events");
}

void RecordingStream::wait(Event&) {
  throw Error(ExitCode::kEnvironment, "a recording stream cannot wait for events");
}

Task RecordingStream::take() {
  std::vector<Task> tasks = std::exchange(tasks_, {});
  if (tasks.size() == 1) return std::move(tasks.front());
  return [tasks = std::move(tasks)] {
    for (const Task& task : tasks) task();
  };
}

}  // namespace stepmark
