// SPDX-License-Identifier: Apache-2.0
// Comm::group_begin and group_end: what is sent and received between them is kept and issued as
// one, as both directions must progress together. Groups do not nest. One thread.
#pragma once

#include <utility>
#include <vector>

#include "core/error.h"

namespace stepmark {

template <class Message>
class MessageGroup {
 public:
  void begin() {
    STEPMARK_CHECK(!open_, "group_begin within a group");
    open_ = true;
  }
  // What was added since begin().
  [[nodiscard]] std::vector<Message> end() {
    STEPMARK_CHECK(open_, "group_end without group_begin");
    open_ = false;
    return std::exchange(messages_, {});
  }
  [[nodiscard]] bool is_open() const { return open_; }
  void add(Message message) { messages_.push_back(std::move(message)); }

 private:
  bool open_ = false;
  std::vector<Message> messages_;
};

}  // namespace stepmark
