// SPDX-License-Identifier: Apache-2.0
// Messages of libraries, each shown once: MPI can complain about every message that it moves.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

// Takes what libraries write, as bytes in any portions, and hands on whole messages: a line, or a
// block of lines between two rules of dashes ("------..."), as Open MPI's help texts are. The first
// of equal messages goes on at once, the others are counted. Equal means: but for process numbers
// and times in brackets in front, "[host:4711] ".
class MessageFolder {
 public:
  using Write = std::function<void(std::string_view)>;
  explicit MessageFolder(Write write) : write_(std::move(write)) {}

  void feed(std::string_view bytes);
  // Nothing came for a while: what is incomplete goes on as it is.
  void pause();
  // Nothing comes any more: says how often messages were repeated, the most frequent ones first.
  void end();
  [[nodiscard]] bool has_incomplete() const { return !line_.empty() || !block_.empty(); }

 private:
  void take_line();
  void take_message(const std::string& text);

  struct Seen {
    std::string first_line;
    std::size_t repeated = 0;
  };
  Write write_;
  std::string line_;   // without its end yet
  std::string block_;  // without its closing rule yet
  std::map<std::string, Seen, std::less<>> seen_;
};

// The part of a message that decides whether two are equal.
[[nodiscard]] std::string message_key(std::string_view text);

}  // namespace stepmark
