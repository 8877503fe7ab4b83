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
    const Key key{slice.offset, slice.offset + slice.elements, stream};
    (write ? writes_ : reads_)[class_of(slice.elements)][key] = op;
  }

  // Calls visit(op, stream) for uses that overlap the slice where either of both writes. Reads of
  // what is hardly ever written, of parameters, look at none of each other.
  template <class Visit>
  void for_each_conflict(const BufferSlice& slice, bool write, Visit visit) const {
    for_each_overlap(writes_, slice, visit);
    if (write) for_each_overlap(reads_, slice, visit);
  }

  // A write by `op` covers what lies in its slice: no later op has a nearer dependency on it.
  void forget_covered(const BufferSlice& slice, std::int32_t op) {
    forget_covered(writes_, slice, op);
    forget_covered(reads_, slice, op);
  }

 private:
  using Key = std::tuple<std::int64_t, std::int64_t, std::int32_t>;  // begin, end, stream
  using Classes = std::map<int, std::map<Key, std::int32_t>>;        // by bit width of the length

  template <class Visit>
  static void for_each_overlap(const Classes& classes, const BufferSlice& slice, Visit& visit) {
    const std::int64_t begin = slice.offset;
    const std::int64_t end = slice.offset + slice.elements;
    for (const auto& [length_class, uses] : classes) {
      // Nothing of this class is longer than `longest`.
      const std::int64_t longest = (std::int64_t{1} << length_class) - 1;
      for (auto use = uses.lower_bound(from(begin - longest));
           use != uses.end() && std::get<0>(use->first) < end; ++use) {
        const auto& [use_begin, use_end, use_stream] = use->first;
        if (use_end > begin) visit(use->second, use_stream);
      }
    }
  }

  static void forget_covered(Classes& classes, const BufferSlice& slice, std::int32_t op) {
    const std::int64_t end = slice.offset + slice.elements;
    for (auto& [length_class, uses] : classes) {
      for (auto use = uses.lower_bound(from(slice.offset));
           use != uses.end() && std::get<0>(use->first) < end;) {
        const bool covered = std::get<1>(use->first) <= end && use->second != op;
        use = covered ? uses.erase(use) : std::next(use);
      }
    }
  }

  static Key from(std::int64_t begin) { return {begin, 0, 0}; }
  static int class_of(std::int64_t elements) {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(elements)));
  }

  Classes reads_, writes_;
};

}  // namespace stepmark
