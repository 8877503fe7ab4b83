// SPDX-License-Identifier: Apache-2.0
// Which declared rate bounds a collective of all ranks, and when none does.
#include "harness/spec/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stepmark {
namespace {

using ::testing::HasSubstr;

Cluster eight_per_node() {
  return {.name = "c",
          .accelerators_per_node = 8,
          .scale_up_domain = 8,
          .scale_up_gb_per_s = 450,
          .scale_out_gb_per_s = 50};
}

TEST(Link, OneHostIsBoundByItsScaleUpLinks) {
  const LinkReference link = link_reference(eight_per_node(), {"a", "a", "a", "a"});
  EXPECT_EQ(link.gb_per_s, 450);
  EXPECT_EQ(link.name, "scale-up");
  EXPECT_EQ(link.scale_out_gb_per_s, 50);
  EXPECT_EQ(link.unknown, "");
}

TEST(Link, OneRankPerHostIsBoundByScaleOutLinks) {
  const LinkReference link = link_reference(eight_per_node(), {"a", "b", "c"});
  EXPECT_EQ(link.gb_per_s, 50);
  EXPECT_EQ(link.name, "scale-out");
}

TEST(Link, TrafficOverBothKindsHasNoShareOfEither) {
  const LinkReference link = link_reference(eight_per_node(), {"a", "a", "b", "b"});
  EXPECT_EQ(link.gb_per_s, 0);
  EXPECT_EQ(link.scale_up_gb_per_s, 450);  // both are still declared
  EXPECT_THAT(link.unknown, HasSubstr("4 ranks on 2 hosts"));
}

TEST(Link, HostsOfALargerDomainAreNotGuessed) {
  Cluster rack = eight_per_node();
  rack.scale_up_domain = 72;
  EXPECT_EQ(link_reference(rack, {"a", "b"}).gb_per_s, 0);
  EXPECT_THAT(link_reference(rack, {"a", "b"}).unknown, HasSubstr("not known"));
  EXPECT_EQ(link_reference(rack, {"a", "a"}).gb_per_s, 450);
}

TEST(Link, WhatIsNotDeclaredIsNotGuessed) {
  EXPECT_THAT(link_reference(std::nullopt, {"a"}).unknown, HasSubstr("no cluster was named"));
  EXPECT_EQ(link_reference(std::nullopt, {"a"}).cluster, "");
  Cluster silent = eight_per_node();
  silent.scale_up_gb_per_s = 0;
  EXPECT_EQ(link_reference(silent, {"a", "a"}).gb_per_s, 0);
  EXPECT_THAT(link_reference(silent, {"a", "a"}).unknown,
              HasSubstr("declares no rate of its scale-up links"));
}

}  // namespace
}  // namespace stepmark
