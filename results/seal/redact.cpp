// SPDX-License-Identifier: Apache-2.0
// A name counts where no letter or digit is next to it ("node17-ib0", "bob@login"), in any case of
// letters. Names come from the facts that hold them and from what text gives away: home folders,
// user@host, names of inner domains. All are collected before the first is replaced.
#include "results/seal/redact.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "results/seal/address.h"

namespace stepmark {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool in_name(char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
  return out;
}

template <std::size_t N>
bool one_of(const std::array<std::string_view, N>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Names that say nothing about anyone, and words that would be replaced all over the text.
constexpr std::array<std::string_view, 12> kNobody{"localhost", "localhost.localdomain",
                                                   "root",      "host",
                                                   "user",      "none",
                                                   "unknown",   "nobody",
                                                   "shared",    "cuda",
                                                   "auto",      "all"};
// "gpu3" is no sibling of a host that is called gpu1.
constexpr std::array<std::string_view, 7> kCounted{"gpu",  "cpu",   "rank",      "core",
                                                   "numa", "world", "repetition"};
constexpr std::array<std::string_view, 6> kInnerDomains{".internal", ".local", ".lan",
                                                        ".corp",     ".svc",   ".intranet"};
constexpr std::array<std::string_view, 3> kHomes{"/home/", "/Users/", "/users/"};
constexpr std::array<std::string_view, 14> kEndings{".smk",  ".log", ".txt",  ".json", ".yaml",
                                                    ".yml",  ".csv", ".html", ".tar",  ".gz",
                                                    ".conf", ".sh",  ".out",  ".err"};
// The facts that hold host names: of runs, and of imports.
constexpr std::array<std::string_view, 3> kHostFacts{"host", "host names", "ranks by host"};

std::string_view name_at(std::string_view text, std::size_t at) {
  auto end = at;
  while (end < text.size() && in_name(text[end])) ++end;
  while (end > at && !is_alphanumeric(text[end - 1])) --end;  // the end of a sentence
  return text.substr(at, end - at);
}

// All that can be free text in a line, by the key it stands under.
template <class Json, class Visit>
void visit_texts(Json& value, const Visit& visit) {
  if (value.is_string()) {
    visit(value);
  } else if (value.is_structured()) {
    for (auto& item : value) visit_texts(item, visit);
  }
}

template <class Json, class Visit>
void visit_free_text(Json& line, const Visit& visit) {
  for (const char* key : {"command", "config", "labels", "reason", "texts"}) {
    if (line.contains(key)) visit_texts(line[key], visit);
  }
  const auto inside = [&](const char* list, const char* key) {
    if (!line.contains(list) || !line[list].is_array()) return;
    for (auto& item : line[list]) {
      if (item.is_object() && item.contains(key)) visit_texts(item[key], visit);
    }
  };
  inside("environment", "value");
  inside("checks", "detail");
  inside("metrics", "note");
}

}  // namespace

Redactor::Redactor(const RedactedNames& names) {
  for (const auto& host : names.hosts) know(host, Kind::host);
  for (const auto& user : names.users) know(user, Kind::user);
  for (const auto& other : names.others) know(other, Kind::name);
  for (const auto& kept : names.kept) {
    if (!kept.empty()) kept_.push_back(lower(kept));
  }
  std::sort(kept_.begin(), kept_.end(),
            [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

void Redactor::know(std::string_view name, Kind kind) {
  auto key = lower(name);
  if (key.empty() || one_of(kNobody, key) || address_at(key, 0) == key.size() ||
      std::none_of(key.begin(), key.end(),
                   [](char c) { return is_alphanumeric(c) && !is_digit(c); })) {
    return;
  }
  if (kind == Kind::host) {
    const auto dot = key.find('.');
    if (dot != std::string::npos) {
      know(std::string_view(key).substr(0, dot), Kind::host);
      domains_[key.substr(0, dot)].insert(key.substr(dot));
      if (key.find('.', dot + 1) != std::string::npos) {
        know(std::string_view(key).substr(dot + 1), Kind::domain);
      }
    } else {
      const auto stem = key.substr(0, key.find_last_not_of("0123456789") + 1);
      if (stem.size() >= 3 && stem.size() < key.size() && !one_of(kCounted, stem)) {
        stems_.insert(stem);
      }
    }
  }
  lengths_.insert(key.size());
  known_.emplace(std::move(key), kind);
}

void Redactor::learn_hosts(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '(') {  // a remark
      at = std::min(text.find(')', at), text.size() - 1);
    } else if (in_name(text[at])) {
      const auto name = name_at(text, at);
      const bool count = at > 0 && name.size() > 1 && name.front() == 'x' &&
                         std::all_of(name.begin() + 1, name.end(), is_digit);  // "node17 x8"
      if (!count) know(name, Kind::host);
      at += std::max<std::size_t>(name.size(), 1) - 1;
    }
  }
}

void Redactor::learn_text(std::string_view text) {
  for (const auto home : kHomes) {
    for (auto at = text.find(home); at != std::string_view::npos; at = text.find(home, at + 1)) {
      know(name_at(text, at + home.size()), Kind::user);
    }
  }
  for (auto at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    auto begin = at;
    while (begin > 0 && in_name(text[begin - 1])) --begin;
    const auto host = name_at(text, at + 1);
    if (begin == at || host.size() < 2 || host.starts_with("sha256") || is_digit(host.front())) {
      continue;
    }
    know(text.substr(begin, at - begin), Kind::user);
    know(host, Kind::host);
  }
  // Behind a name goes on behind all of it: a text of nothing but such words is read once.
  for (const auto domain : kInnerDomains) {
    for (auto at = text.find(domain); at != std::string_view::npos;) {
      auto begin = at;
      while (begin > 0 && in_name(text[begin - 1])) --begin;
      const auto name = name_at(text, begin);
      if (begin < at && name.ends_with(domain)) know(name, Kind::host);
      at = text.find(domain, std::max(begin + name.size(), at + 1));
    }
  }
  for (auto at = text.find("ip-"); at != std::string_view::npos;) {
    const auto name = name_at(text, at);
    const auto label = name.substr(0, name.find('.'));
    if (std::count(label.begin(), label.end(), '-') == 4 &&
        std::all_of(label.begin() + 2, label.end(),
                    [](char c) { return is_digit(c) || c == '-'; })) {
      know(name, Kind::host);
    }
    at = text.find("ip-", at + std::max<std::size_t>(name.size(), 3));
  }
}

void Redactor::learn(const nlohmann::json& line) {
  if (line.contains("environment") && line["environment"].is_array()) {
    for (const auto& fact : line["environment"]) {
      if (!fact.is_object()) continue;
      const auto name = fact.value("name", std::string());
      const auto section =
          fact.value("section", fact.value("group", std::string()));  // its former name
      if (section == "placement" && one_of(kHostFacts, name)) {
        learn_hosts(fact.value("value", std::string()));
      }
    }
  }
  auto copy = line;  // visiting is for replacing as well
  copy.erase("series");
  visit_free_text(
      copy, [&](const nlohmann::json& text) { learn_text(text.get_ref<const std::string&>()); });
}

std::string Redactor::word_for(const std::string& original, Kind kind) {
  // node17 and node17.example.com are one host, unless there is one in another domain too.
  const auto label = original.substr(0, original.find('.'));
  const auto domains = domains_.find(label);
  const bool one_host =
      kind == Kind::host && (domains == domains_.end() || domains->second.size() < 2);
  const auto& key = one_host ? label : original;
  const auto found = words_.find(key);
  if (found != words_.end()) return found->second;
  constexpr std::array<std::string_view, 5> kWords{"host", "user", "domain", "address", "name"};
  auto word = fmt::format("{}-{}", kWords.at(static_cast<std::size_t>(kind)), ++counts_[kind]);
  words_.emplace(key, word);
  table_.push_back({.original = original, .replacement = word});
  return word;
}

// Bytes of the longest known name that begins here, 0 where none does.
std::size_t Redactor::known_at(std::string_view text, std::size_t at, Kind& kind) const {
  for (const auto length : lengths_) {
    if (length > text.size() - at ||
        (at + length < text.size() && is_alphanumeric(text[at + length]))) {
      continue;
    }
    const auto found = known_.find(lower(text.substr(at, length)));
    if (found != known_.end()) {
      kind = found->second;
      return length;
    }
  }
  return 0;
}

// "node18" and "node[01-04]" where node17 is known.
std::size_t Redactor::sibling_at(std::string_view text, std::size_t at) const {
  for (const auto& stem : stems_) {
    if (lower(text.substr(at, stem.size())) != stem) continue;
    auto end = at + stem.size();
    if (end < text.size() && text[end] == '[') {
      const auto close = text.find(']', end);
      if (close != std::string_view::npos) return close + 1 - at;
    }
    while (end < text.size() && is_digit(text[end])) ++end;
    const bool whole =
        end > at + stem.size() && (end == text.size() || !is_alphanumeric(text[end]));
    if (whole) return end - at;
  }
  return 0;
}

// Bytes of the longest kept name that begins here; it ends where no letter or digit goes on.
std::size_t Redactor::kept_at(std::string_view text, std::size_t at) const {
  for (const auto& kept : kept_) {
    const auto end = at + kept.size();
    if (end > text.size() ||
        (end < text.size() && is_alphanumeric(text[end]) && is_alphanumeric(text[end - 1]))) {
      continue;
    }
    const bool same =
        std::equal(kept.begin(), kept.end(), text.begin() + static_cast<std::ptrdiff_t>(at),
                   [](char a, char b) { return a == lower(b); });
    if (same) return kept.size();
  }
  return 0;
}

template <class Stays>
std::string Redactor::replaced_but(std::string_view text, const Stays& stays) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (at > 0 && is_alphanumeric(text[at]) && is_alphanumeric(text[at - 1])) {
      out += text[at++];
      continue;
    }
    auto kind = Kind::address;
    auto size = address_at(text, at);
    if (size == 0 && is_alphanumeric(text[at])) {
      kind = Kind::host;
      size = known_at(text, at, kind);
      if (size == 0) size = sibling_at(text, at);
    }
    const auto kept = kept_.empty() ? 0 : kept_at(text, at);
    if (size == 0 || kept >= size || stays(at, size)) {
      const auto copied = std::max({kept, size, std::size_t{1}});
      out += text.substr(at, copied);
      at += copied;
      continue;
    }
    out += word_for(lower(text.substr(at, size)), kind);
    at += size;
    // "node17.example.com" where the journal knows node17 alone: the domain goes with it.
    const auto rest = kind == Kind::host ? name_at(text, at) : std::string_view{};
    const bool domain = rest.size() > 1 && rest.front() == '.' && !one_of(kEndings, lower(rest)) &&
                        rest.find("..") == std::string_view::npos;
    if (domain) at += rest.size();
  }
  return out;
}

std::string Redactor::replaced(std::string_view text) {
  return replaced_but(text, [](std::size_t, std::size_t) { return false; });
}

// A key is what a colon stands behind, outside of comments: "node17: dead" in one is no key.
std::string Redactor::replaced_yaml(std::string_view text) {
  const auto in_comment = [&](std::size_t at) {
    const auto line = text.substr(0, at).rfind('\n') + 1;  // npos + 1: 0
    const auto before = text.substr(line, at - line);
    for (auto hash = before.find('#'); hash != std::string_view::npos;
         hash = before.find('#', hash + 1)) {
      if (hash == 0 || before[hash - 1] == ' ' || before[hash - 1] == '\t') return true;
    }
    return false;
  };
  return replaced_but(text, [&](std::size_t at, std::size_t size) {
    auto end = at + size;
    if (end < text.size() && (text[end] == '"' || text[end] == '\'')) ++end;
    const bool colon = end < text.size() && text[end] == ':' &&
                       (end + 1 == text.size() || text[end + 1] == ' ' || text[end + 1] == '\n');
    return colon && !in_comment(at);
  });
}

bool Redactor::replace(nlohmann::json& line) {
  bool any = false;
  visit_free_text(line, [&](nlohmann::json& text) {
    auto after = replaced(text.get_ref<const std::string&>());
    if (after != text.get_ref<const std::string&>()) {
      text = std::move(after);
      any = true;
    }
  });
  return any;
}

}  // namespace stepmark
