// SPDX-License-Identifier: Apache-2.0
// Synthetic runs with facts that give their machine away.
#include "seal_bundle.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/cli/evidence.h"
#include "results/seal/bytes.h"
#include "results/seal/dsse.h"
#include "synthetic.h"

namespace stepmark::sealed {

const EvidenceViews& views() {
  static const EvidenceViews out = [] {
    auto real = evidence_views();
    real.page = [](std::span<const Run> runs, const nlohmann::json& decision) {
      std::string text;
      for (const Run& run : runs) {
        text += fmt::format("{} {}\n", run.header.run_id, run.records.front().case_id);
      }
      return text + (decision.is_null() ? "" : "decided\n");
    };
    return real;
  }();
  return out;
}

SealedBy by() {
  return {.tool_version = "1.0",
          .git_revision = "abc",
          .build_type = "Release",
          .binary_sha256 = std::string(64, '0'),
          .dirty = false};
}

JournalSource step_journal(const std::string& path, std::uint64_t seed, double seconds) {
  synthetic::Noise noise(seed);
  Run run{.path = path};
  run.header = synthetic::header({.seed = seed, .name = path});
  run.header.run_id = fmt::format("run-{}", seed);
  run.header.environment.facts = {
      {.section = "placement", .name = "host", .value = "gpu-017", .fingerprint = false},
      {.section = "placement",
       .name = "ranks by host",
       .value = "gpu-017 x2, gpu-018 x2",
       .fingerprint = false}};
  run.records.push_back(synthetic::step(
      "tiny", synthetic::times({.median_s = seconds, .count = 12, .noise = 0.001}, noise), false));
  run.records.front().started_unix_s += static_cast<double>(seed);
  run.header.cases = {run.records.front().case_id};
  run.ended = true;
  return {.path = path, .content = synthetic::chained(synthetic::lines_of(run))};
}

JournalSource journal(const std::string& path, std::uint64_t seed, int count,
                      const std::string& host, std::size_t records) {
  auto run = synthetic::run({.seed = seed,
                             .name = path,
                             .count = count,
                             .collectives = false,
                             .steps = false,
                             .timeline = false});
  run.records.resize(std::min(records, run.records.size()));
  run.header.cases.clear();
  for (const auto& record : run.records) run.header.cases.push_back(record.case_id);
  run.header.run_id = fmt::format("run-{}", seed);
  run.header.environment.facts = {
      {.section = "hardware", .name = "CPU model", .value = "EPYC"},
      {.section = "placement", .name = "host", .value = host, .fingerprint = false}};
  return {.path = path, .content = synthetic::chained(synthetic::lines_of(run))};
}

BundleVerification verified(std::string_view bytes, std::span<const TrustedKey> trusted) {
  return verify(bytes, trusted, views(), by());
}

std::string bytes_of(const Bundle& bundle) { return write_archive(bundle.members); }

std::string said(const BundleVerification& found) {
  std::string out;
  for (const auto& problem : found.problems) out += text_of(problem) + "\n";
  return out;
}

Member& member(std::vector<Member>& members, std::string_view name) {
  return *std::find_if(members.begin(), members.end(),
                       [&](const Member& one) { return one.name == name; });
}

void sign_again(std::vector<Member>& members, const SigningKey& key) {
  auto manifest = Manifest::from_text(member(members, kManifestName).content);
  std::erase_if(members, [](const Member& one) { return one.name.starts_with(kKeysFolder); });
  for (auto& file : manifest.files) {
    const auto& content = member(members, file.name).content;
    file.bytes = static_cast<std::int64_t>(content.size());
    file.sha256 = sha256(content);
  }
  Envelope envelope{.type = std::string(kManifestType), .body = manifest.text(), .signatures = {}};
  envelope.sign(key);
  member(members, kManifestName).content = envelope.body;
  member(members, kSignaturesName).content = envelope.text();
  members.push_back({.name = fmt::format("{}{}.pub", kKeysFolder, key.public_key().fingerprint()),
                     .content = key.public_key().pem()});
}

}  // namespace stepmark::sealed
