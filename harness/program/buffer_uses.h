// SPDX-License-Identifier: Apache-2.0
// Which ops used which slices of one buffer so far, kept so that what conflicts with a slice is
// found without looking at all of them: of the same slice, access and stream only the latest op is
// kept, and slices are sorted by begin within classes of similar length, of which only those that
// begin near can overlap.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <tuple>

#include "harness/program/program.h"

namespace stepmark {

class BufferUses {
 public:
  void add(const BufferSlice& slice, bool write, std::int32_t stream, std::int32_t op) {
    const Key key{slice.offset, slice.offset + slice.elements, write, stream};
    classes_[class_of(slice.elements)][key] = op;
  }

  // Calls visit(op, stream) for uses that overlap the slice where either of both writes.
  template <class Visit>
  void for_each_conflict(const BufferSlice& slice, bool write, Visit visit) const {
    const std::int64_t begin = slice.offset;
    const std::int64_t end = slice.offset + slice.elements;
    for (const auto& [length_class, uses] : classes_) {
      // Nothing of this class is longer than `longest`.
      const std::int64_t longest = (std::int64_t{1} << length_class) - 1;
      for (auto use = uses.lower_bound(from(begin - longest));
           use != uses.end() && std::get<0>(use->first) < end; ++use) {
        const auto& [use_begin, use_end, use_write, use_stream] = use->first;
        if (use_end > begin && (write || use_write)) visit(use->second, use_stream);
      }
    }
  }

  // A write by `op` covers what lies in its slice: no later op has a nearer dependency on it.
  void forget_covered(const BufferSlice& slice, std::int32_t op) {
    const std::int64_t end = slice.offset + slice.elements;
    for (auto& [length_class, uses] : classes_) {
      for (auto use = uses.lower_bound(from(slice.offset));
           use != uses.end() && std::get<0>(use->first) < end;) {
        const bool covered = std::get<1>(use->first) <= end && use->second != op;
        use = covered ? uses.erase(use) : std::next(use);
      }
    }
  }

 private:
  using Key = std::tuple<std::int64_t, std::int64_t, bool, std::int32_t>;  // begin end write stream
  static Key from(std::int64_t begin) { return {begin, 0, false, 0}; }
  static int class_of(std::int64_t elements) {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(elements)));
  }

  std::map<int, std::map<Key, std::int32_t>> classes_;  // by bit width of the length
};

}  // namespace stepmark
