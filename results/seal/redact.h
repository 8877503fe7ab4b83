// SPDX-License-Identifier: Apache-2.0
// Names of hosts and users, and network addresses, replaced by host-1, user-1, address-1 and so on:
// the same name everywhere by the same word, so that runs stay comparable. It happens before
// anything is hashed; both parties of a dispute then have the same bytes.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

// What the one who seals knows, beside what the journals tell.
struct RedactedNames {
  std::vector<std::string> hosts, users;
  std::vector<std::string> others;  // become name-1, ...: projects, customers, clusters
  // Public, and never replaced: the parties of terms, ids that must keep their meaning.
  std::vector<std::string> kept = {};
};

struct Redaction {
  std::string original, replacement;
};

class Redactor {
 public:
  explicit Redactor(const RedactedNames& names);
  // First all lines of all journals are shown to it, then each is replaced: a name that the last
  // line gives away is replaced in the first.
  void learn(const nlohmann::json& line);
  // Free text of a line: command, configuration, environment, labels, reasons, texts, details of
  // checks. What identifies and measures (ids of cases, numbers, samples) is not touched. Whether
  // anything was replaced.
  bool replace(nlohmann::json& line);
  [[nodiscard]] std::string replaced(std::string_view text);
  // Of a YAML file, whose keys stay as they are.
  [[nodiscard]] std::string replaced_yaml(std::string_view text);
  // Names that a text gives away, such as user@host.
  void learn_text(std::string_view text);
  [[nodiscard]] const std::vector<Redaction>& table() const { return table_; }  // that were met

 private:
  enum class Kind { host, user, domain, address, name };
  void know(std::string_view name, Kind kind);
  void learn_hosts(std::string_view text);
  [[nodiscard]] std::string word_for(const std::string& original, Kind kind);
  [[nodiscard]] std::size_t known_at(std::string_view text, std::size_t at, Kind& kind) const;
  [[nodiscard]] std::size_t sibling_at(std::string_view text, std::size_t at) const;
  [[nodiscard]] std::size_t kept_at(std::string_view text, std::size_t at) const;
  // `stays(at, size)`: what begins at `at` is not replaced.
  template <class Stays>
  [[nodiscard]] std::string replaced_but(std::string_view text, const Stays& stays);

  std::map<std::string, Kind, std::less<>> known_;  // in lower case
  std::vector<std::string> kept_;                   // in lower case, the longest first
  std::set<std::size_t, std::greater<>> lengths_;   // of these
  std::set<std::string, std::less<>> stems_;        // "node" of node17: node18 is a host too
  std::map<std::string, std::set<std::string>, std::less<>> domains_;  // of a host's first label
  std::map<std::string, std::string, std::less<>> words_;
  std::map<Kind, int> counts_;
  std::vector<Redaction> table_;
};

}  // namespace stepmark
