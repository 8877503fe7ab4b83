// SPDX-License-Identifier: Apache-2.0
// Names and addresses go, the same everywhere; what measures and identifies stays.
#include "results/seal/redact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/families/read_journal.h"
#include "results/seal/address.h"
#include "seal_bundle.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string redacted(std::string_view text, const RedactedNames& names = {}) {
  Redactor redactor(names);
  redactor.learn({{"labels", {text}}});
  return redactor.replaced(text);
}

TEST(Addresses, AreFoundWhereTheyStand) {
  for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{
           {"connect to 10.0.12.7:4711.", "connect to address-1:4711."},
           {"[fe80::1ff:fe23:4567:890a%eth0]", "[address-1%eth0]"},
           {"2001:db8::7, 2001:DB8::7 and 2001:db8::8", "address-1, address-1 and address-2"},
           {"mac 52:54:00:12:34:56!", "mac address-1!"},
           {"guid 506b:4b03:00a1:b2c3", "guid address-1"},
           {"net=10.1.0.0/16", "net=address-1/16"},
           {"127.0.0.1 ::1 0.0.0.0 255.255.255.0", "127.0.0.1 ::1 0.0.0.0 255.255.255.0"},
           {"GPU 0000:3b:00.0 at 12:34:56", "GPU 0000:3b:00.0 at 12:34:56"},
           {"driver 550.54.15, MPI v4.1.4.2, std::min", "driver 550.54.15, MPI v4.1.4.2, std::min"},
           {"1.5e-3 256.1.1.1 1.2.3.4.5", "1.5e-3 256.1.1.1 1.2.3.4.5"}}) {
    EXPECT_EQ(redacted(before), after);
  }
}

TEST(Redacting, FindsWhatTextGivesAway) {
  for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{
           {"/home/bob/runs/a.yaml by bob", "/home/user-1/runs/a.yaml by user-1"},
           {"ssh Alice@login.example.com", "ssh user-1@host-1"},
           {"ip-10-0-3-4.ec2.internal: gone", "host-1: gone"},
           {"etcd-0.ns.svc.cluster.local answers", "host-1 answers"},
           {"/root/x in image@sha256:12", "/root/x in image@sha256:12"},
           {"4 GPUs of 8, tp=2,dp=2", "4 GPUs of 8, tp=2,dp=2"}}) {
    EXPECT_EQ(redacted(before), after);
  }
  const RedactedNames names{
      .hosts = {"node17.prod.example.com"}, .users = {"eve"}, .others = {"Acme"}};
  EXPECT_EQ(redacted("node17 node17-ib0 NODE17.prod.example.com node17.smk", names),
            "host-1 host-1-ib0 host-1 host-1.smk");
  EXPECT_EQ(redacted("node18, node[01-04] and login.prod.example.com but nodes4", names),
            "host-1, host-2 and login.domain-1 but nodes4");
  EXPECT_EQ(redacted("eve at ACME's, evening, believe", names),
            "user-1 at name-1's, evening, believe");
}

TEST(Redacting, TakesTimeInProportion) {
  // Each word of these begins another name, if one looks at it alone: a minute when squared.
  for (const std::string_view word : {"ip-", ".internal", "a@", "/home/", "node17.", "1:", "::"}) {
    std::string text;
    while (text.size() < 1'000'000) text += word;
    EXPECT_FALSE(redacted(text, {.hosts = {"node17"}, .users = {}, .others = {}}).empty());
  }
}

TEST(Redacting, LeavesWhatIdentifiesAndMeasures) {
  // The worst host name there can be: one that is a word of every case.
  const auto line = nlohmann::json::parse(
      R"({"type":"record","case_id":"kernel/gemm/fp32","family":"kernel","labels":["on gemm"],
          "texts":{"dtype":"fp32"},"reason":"gemm is gone","numbers":{"gemm":1},
          "series":[{"name":"gemm","unit":"s","values":[1]}],
          "metrics":[{"name":"gemm","note":"peak of gemm"}],
          "checks":[{"name":"gemm","passed":true,"detail":"gemm: 0 wrong"}]})");
  Redactor redactor({.hosts = {"gemm"}, .users = {}, .others = {}});
  auto after = line;
  EXPECT_TRUE(redactor.replace(after));
  for (const auto* key : {"case_id", "family", "texts", "numbers", "series"}) {
    EXPECT_EQ(after[key], line[key]) << key;
  }
  EXPECT_EQ(after["labels"][0], "on host-1");
  EXPECT_EQ(after["reason"], "host-1 is gone");
  EXPECT_EQ(after["metrics"][0]["note"], "peak of host-1");
  EXPECT_EQ(after["metrics"][0]["name"], "gemm");
  EXPECT_EQ(after["checks"][0]["detail"], "host-1: 0 wrong");
  EXPECT_EQ(redactor.table().size(), 1U);
}

// What a buyer seals verifies at the provider's, who has neither the journals nor the table.
TEST(Redacting, HappensBeforeAnythingIsHashed) {
  auto first = sealed::journal("/home/bob/node17-a.smk", 1);
  const auto second = sealed::journal("b.smk", 2, 8, "node18.example.com");
  const auto key = SigningKey::generate();
  const auto bundle =
      seal({{first}, {second}},
           {.names = {.hosts = {}, .users = {"bob"}, .others = {}}, .by = sealed::by()},
           sealed::views(), key);
  const auto bytes = sealed::bytes_of(bundle);
  EXPECT_THAT(bytes, AllOf(Not(HasSubstr("node1")), Not(HasSubstr("example.com")),
                           HasSubstr("journals/host-1-a.smk"), HasSubstr("\"value\":\"host-2\"")));
  const auto found = sealed::verified(bytes);
  EXPECT_EQ(sealed::said(found), "");
  EXPECT_TRUE(found.manifest->redacted);
  EXPECT_EQ(bundle.redactions.size(), 2U);
  // Every sample and figure is the one of before.
  auto members = bundle.members;
  const auto before = parse_journal(first.content, "a");
  const auto after = parse_journal(sealed::member(members, "journals/host-1-a.smk").content, "a");
  EXPECT_EQ(to_json(before.records.at(0)), to_json(after.records.at(0)));
  EXPECT_EQ(after.header.environment.get("placement", "host"), "host-1");
  // And without it the bytes of the journal are kept.
  auto open = seal({{first}}, {.redact = false, .by = sealed::by()}, sealed::views(), key);
  EXPECT_EQ(sealed::member(open.members, "journals/node17-a.smk").content, first.content);
}

}  // namespace
}  // namespace stepmark
