// SPDX-License-Identifier: Apache-2.0
#include "harness/exec/bind_comm.h"

#include "core/error.h"

namespace stepmark {

void check_shape(const CommShape& shape, const Group& group) {
  const auto ranks = static_cast<std::int32_t>(group.ranks.size());
  const std::string_view verb = name_of(shape.verb);
  STEPMARK_REQUIRE(shape.count >= 0, "{} over {}: count {} is negative", verb, shape.axis,
                   shape.count);
  if (is_rooted(shape.verb)) {
    STEPMARK_REQUIRE(shape.root >= 0 && shape.root < ranks,
                     "{} over {}: root {} is not in the group of {} ranks", verb, shape.axis,
                     shape.root, ranks);
  }
  STEPMARK_REQUIRE(is_rooted(shape.verb) || shape.root < 0, "{} over {} has no root, {} is given",
                   verb, shape.axis, shape.root);
  STEPMARK_REQUIRE(shape.verb == Verb::send_recv || (shape.send_peer < 0 && shape.recv_peer < 0),
                   "{} over {} has no peers, {} and {} are given", verb, shape.axis,
                   shape.send_peer, shape.recv_peer);
  if (shape.verb == Verb::send_recv) {
    STEPMARK_REQUIRE(shape.send_peer < ranks && shape.recv_peer < ranks,
                     "{} over {}: peers {} and {} are not in the group of {} ranks", verb,
                     shape.axis, shape.send_peer, shape.recv_peer, ranks);
    STEPMARK_REQUIRE(shape.send_peer >= 0 || shape.recv_peer >= 0,
                     "{} over {} neither sends nor receives", verb, shape.axis);
  }
  if (shape.verb == Verb::all_to_all_v) {
    for (const auto* counts : {&shape.send_counts, &shape.recv_counts}) {
      STEPMARK_REQUIRE(std::ssize(*counts) == ranks,
                       "{} over {}: {} counts for a group of {} ranks", verb, shape.axis,
                       counts->size(), ranks);
      for (const std::int64_t count : *counts) {
        STEPMARK_REQUIRE(count >= 0, "{} over {}: count {} is negative", verb, shape.axis, count);
      }
    }
  }
}

}  // namespace stepmark
