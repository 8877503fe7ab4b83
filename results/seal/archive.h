// SPDX-License-Identifier: Apache-2.0
// One file of many: POSIX ustar, so that `tar` opens it. Of given members there is one archive
// only: names in rising order, mode 0644, no owner, no time, and no byte that could be otherwise.
// Reading refuses all else, so that there is no place in a bundle where something could be hidden
// or changed unnoticed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace stepmark {

struct Member {
  std::string name;  // letters, digits, ".", "_", "-" and "/", at most kMostNameBytes
  std::string content;
};

inline constexpr std::size_t kMostNameBytes = 99;
inline constexpr std::size_t kMostMemberBytes = (std::size_t{1} << 33U) - 1;  // 11 octal digits
inline constexpr std::size_t kMostMembers = 10'000;

// Error(kUsage) for names that are equal or no names, and members that are too large.
[[nodiscard]] std::string write_archive(std::vector<Member> members);

struct PlacedMember {
  std::string name;
  std::string_view content;  // of the archive's bytes
  std::size_t begin = 0;     // of the content in the archive
};

// Which bytes of an archive are wrong.
class ArchiveError : public Error {
 public:
  ArchiveError(std::size_t begin, std::size_t end, const std::string& what)
      : Error(ExitCode::kUsage, what), begin_(begin), end_(end) {}
  [[nodiscard]] std::size_t begin() const { return begin_; }
  [[nodiscard]] std::size_t end() const { return end_; }

 private:
  std::size_t begin_, end_;
};

// Views into `bytes`, in rising order of names. ArchiveError for anything that write_archive() does
// not write.
[[nodiscard]] std::vector<PlacedMember> read_archive(std::string_view bytes);

}  // namespace stepmark
