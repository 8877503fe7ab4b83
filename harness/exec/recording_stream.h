// SPDX-License-Identifier: Apache-2.0
// A stream that keeps what is submitted instead of running it: while preparing, the verbs of a Comm
// are called once on a recording stream, and the tasks they submit are replayed in every step
// without a virtual call. One thread.
#pragma once

#include <string_view>
#include <vector>

#include "core/device.h"

namespace stepmark {

class RecordingStream final : public Stream {
 public:
  // `native`: of the stream on which the tasks will be replayed.
  explicit RecordingStream(void* native = nullptr) : native_(native) {}
  void submit(Task task) override;
  // Events have no meaning before replay: Error. Dependencies of a program are the executor's.
  void record(Event& event) override;
  void wait(Event& event) override;
  void synchronize() override {}
  [[nodiscard]] std::string_view name() const override { return "recording"; }
  [[nodiscard]] void* native() const override { return native_; }

  // All that was submitted since the last call, as one task that runs the parts in order.
  [[nodiscard]] Task take();

 private:
  void* native_;
  std::vector<Task> tasks_;
};

}  // namespace stepmark
