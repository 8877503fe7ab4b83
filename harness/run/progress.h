// SPDX-License-Identifier: Apache-2.0
// What a person sees while a run is under way, on stderr: one line that is rewritten on a terminal,
// one line per case elsewhere.
#pragma once

#include <cstddef>
#include <string>

#include "results/record/record.h"

namespace stepmark {

class ProgressLine {
 public:
  // `active`: rank 0 only. `cases`: how many there are. `prefix`: in front of each line, or empty.
  ProgressLine(bool active, std::size_t cases, const std::string& prefix = {});
  void begin(const std::string& case_id);
  void update(int samples, double half_width, double seconds_left);
  void end(const Record& record);

 private:
  bool active_;
  bool terminal_;
  std::string prefix_;
  std::size_t cases_;
  std::size_t at_ = 0;
  std::string case_id_;
};

}  // namespace stepmark
