// SPDX-License-Identifier: Apache-2.0
// A header is never parsed beyond its name and size: the one header that these have is made again
// and compared. Source of the format: POSIX.1-2017, pax, "ustar Interchange Format".
#include "results/seal/archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

namespace stepmark {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kSizeAt = 124, kSizeDigits = 11;
constexpr std::size_t kChecksumAt = 148;

std::size_t padded(std::size_t bytes) { return (bytes + kBlock - 1) / kBlock * kBlock; }

bool is_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/";
  return !name.empty() && name.size() <= kMostNameBytes &&
         name.find_first_not_of(kAllowed) == std::string_view::npos && name.front() != '/' &&
         name.back() != '/' && name.find("..") == std::string_view::npos &&
         name.find("//") == std::string_view::npos;
}

std::string header(std::string_view name, std::size_t size) {
  std::string block(kBlock, '\0');
  const auto put = [&](std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), block.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");  // owner and group: nobody's
  put(116, "0000000");
  put(kSizeAt, fmt::format("{:011o}", size));
  put(136, "00000000000");  // no time
  put(kChecksumAt, "        ");
  put(156, "0");  // a file
  put(257, "ustar");
  put(263, "00");
  put(329, "0000000");  // device numbers, of nothing
  put(337, "0000000");
  const auto sum = std::accumulate(block.begin(), block.end(), 0U, [](unsigned total, char c) {
    return total + static_cast<unsigned char>(c);
  });
  put(kChecksumAt, fmt::format("{:06o}", sum));
  block[kChecksumAt + 6] = '\0';
  return block;
}

std::optional<std::size_t> size_in(std::string_view block) {
  std::size_t size = 0;
  for (const char c : block.substr(kSizeAt, kSizeDigits)) {
    if (c < '0' || c > '7') return std::nullopt;
    size = size * 8 + static_cast<std::size_t>(c - '0');
  }
  return size;
}

void require_zeros(std::string_view bytes, std::size_t begin, std::size_t end, const char* where) {
  const auto other = bytes.substr(begin, end - begin).find_first_not_of('\0');
  if (other != std::string_view::npos) {
    throw ArchiveError(begin + other, begin + other + 1,
                       fmt::format("damaged: a byte that is not zero {}", where));
  }
}

}  // namespace

std::string write_archive(std::vector<Member> members) {
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.name < b.name; });
  STEPMARK_REQUIRE(members.size() <= kMostMembers, "more than {} files in a bundle", kMostMembers);
  std::string out, previous;
  for (const Member& member : members) {
    STEPMARK_REQUIRE(is_name(member.name), "'{}': no name for a file in a bundle", member.name);
    STEPMARK_REQUIRE(member.name != previous, "'{}': twice in a bundle", member.name);
    STEPMARK_REQUIRE(member.content.size() <= kMostMemberBytes, "{}: {} bytes, at most {}",
                     member.name, member.content.size(), kMostMemberBytes);
    out += header(member.name, member.content.size()) + member.content;
    out.resize(padded(out.size()), '\0');
    previous = member.name;
  }
  out.append(2 * kBlock, '\0');
  return out;
}

std::vector<PlacedMember> read_archive(std::string_view bytes) {
  std::vector<PlacedMember> members;
  std::size_t at = 0;
  const auto cut = [&](std::size_t from, const char* what) {
    return ArchiveError(from, bytes.size(),
                        fmt::format("cut off or no evidence bundle: it ends inside {}", what));
  };
  while (true) {
    if (bytes.size() - at < kBlock) throw cut(at, "the header of a file");
    const auto block = bytes.substr(at, kBlock);
    if (block.front() == '\0') break;
    const auto name = block.substr(0, std::min(block.find('\0'), kMostNameBytes));
    const auto size = size_in(block);
    if (!is_name(name) || !size || block != header(name, *size)) {
      throw ArchiveError(at, at + kBlock,
                         "damaged or no evidence bundle: the header of a file is not as stepmark "
                         "writes it");
    }
    if (!members.empty() && members.back().name >= name) {
      throw ArchiveError(at, at + kBlock,
                         fmt::format("'{}' stands behind '{}': files were added, repeated or moved",
                                     name, members.back().name));
    }
    if (members.size() == kMostMembers) {
      throw ArchiveError(at, at + kBlock, fmt::format("more than {} files", kMostMembers));
    }
    at += kBlock;
    if (*size > bytes.size() - at || padded(*size) > bytes.size() - at) {
      throw cut(at, fmt::format("'{}'", name).c_str());
    }
    members.push_back({.name = std::string(name), .content = bytes.substr(at, *size), .begin = at});
    require_zeros(bytes, at + *size, at + padded(*size), "behind the end of a file");
    at += padded(*size);
  }
  if (bytes.size() - at < 2 * kBlock) throw cut(at, "the two empty blocks at its end");
  require_zeros(bytes, at, at + 2 * kBlock, "in the two empty blocks at the end");
  if (bytes.size() != at + 2 * kBlock) {
    throw ArchiveError(at + 2 * kBlock, bytes.size(), "bytes were added behind the end");
  }
  return members;
}

}  // namespace stepmark
