// SPDX-License-Identifier: Apache-2.0
// Takes words and numbers off the front of a line, and takes a line whole or not at all. Of several
// choices for one size the last counts, which is that of the latest call.
#include "collectives/nccl/tuning_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace stepmark {
namespace {

constexpr std::string_view kSymmetric = " [Symmetric]";
constexpr std::array<std::pair<Verb, std::string_view>, 5> kNames{
    {{Verb::all_reduce, "AllReduce"},
     {Verb::all_gather, "AllGather"},
     {Verb::reduce_scatter, "ReduceScatter"},
     {Verb::broadcast, "Broadcast"},
     {Verb::reduce, "Reduce"}}};

// Takes what it reads from the front of a line. Once something did not fit, nothing fits.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  Reader& skip(std::string_view expected) {
    ok_ = ok_ && text_.starts_with(expected);
    if (ok_) text_.remove_prefix(expected.size());
    return *this;
  }
  template <class Integer>
  Reader& number(Integer& value) {
    const char* end = text_.data() + text_.size();
    const auto [rest, error] = std::from_chars(text_.data(), end, value);
    ok_ = ok_ && error == std::errc() && value >= 0;
    if (ok_) text_ = std::string_view(rest, static_cast<std::size_t>(end - rest));
    return *this;
  }
  Reader& word(std::string& value) {
    const std::size_t size = std::min(text_.find(' '), text_.size());
    ok_ = ok_ && size > 0;
    value = text_.substr(0, size);
    if (ok_) text_.remove_prefix(size);
    return *this;
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view text_;
  bool ok_ = true;
};

// What follows "Name: " or "Name [Symmetric]: ".
std::optional<CollectiveChoice> parse_choice(std::string_view text, bool symmetric) {
  CollectiveChoice choice;
  Reader reader(text);
  if (symmetric) {
    reader.number(choice.bytes).skip(" Bytes -> Kernel ").word(choice.algorithm);
    reader.skip(" nchannels ").number(choice.channels);
    return reader.ok() ? std::optional(choice) : std::nullopt;
  }
  int low = 0;
  int high = 0;
  reader.number(choice.bytes).skip(" Bytes -> Algo ").word(choice.algorithm);
  reader.skip(" proto ").word(choice.protocol).skip(" channel{Lo..Hi}={");
  reader.number(low).skip("..").number(high).skip("}");
  if (!reader.ok() || high < low) return std::nullopt;
  const std::int64_t channels = std::int64_t{high} - low + 1;
  if (channels > 1'000'000) return std::nullopt;  // no GPU has that many
  choice.channels = static_cast<int>(channels);
  return choice;
}

std::optional<CollectiveChoice> parse_line(std::string_view line) {
  const std::size_t bytes_at = line.find(" Bytes -> ");
  if (bytes_at == std::string_view::npos) return std::nullopt;
  const std::size_t colon = line.rfind(": ", bytes_at);
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view name = line.substr(0, colon);
  const bool symmetric = name.ends_with(kSymmetric);
  if (symmetric) name.remove_suffix(kSymmetric.size());
  const std::size_t blank = name.rfind(' ');  // before it: host, process, "NCCL INFO"
  if (blank != std::string_view::npos) name.remove_prefix(blank + 1);
  if (name.empty()) return std::nullopt;
  auto choice = parse_choice(line.substr(colon + 2), symmetric);
  if (choice) choice->collective = name;
  return choice;
}

}  // namespace

std::vector<CollectiveChoice> parse_tuning_log(std::string_view text) {
  std::vector<CollectiveChoice> choices;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (auto choice = parse_line(line)) choices.push_back(std::move(*choice));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return choices;
}

std::optional<CollectiveChoice> choice_of(const std::vector<CollectiveChoice>& choices, Verb verb,
                                          std::int64_t bytes) {
  const auto* name = std::find_if(kNames.begin(), kNames.end(),
                                  [&](const auto& known) { return known.first == verb; });
  if (name == kNames.end()) return std::nullopt;
  const auto found =
      std::find_if(choices.rbegin(), choices.rend(), [&](const CollectiveChoice& choice) {
        return choice.collective == name->second && choice.bytes == bytes;
      });
  if (found == choices.rend()) return std::nullopt;
  return *found;
}

}  // namespace stepmark
