// SPDX-License-Identifier: Apache-2.0
// A second look at the file, since a record itself is the same wherever it stands.
#include "results/record/record_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace stepmark {

RecordLines record_lines(std::string_view content) {
  RecordLines out;
  // Samples and spans are most of a line, and not asked for.
  const auto wanted = [](int depth, nlohmann::json::parse_event_t event,
                         const nlohmann::json& parsed) {
    const bool bulk = event == nlohmann::json::parse_event_t::key && depth == 1 &&
                      (parsed == "series" || parsed == "timeline");
    return !bulk;
  };
  for (int number = 1; !content.empty(); ++number) {
    const std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(line.size() + 1, content.size()));
    const auto json = nlohmann::json::parse(line, wanted, false);
    if (!json.is_object() || json.value("type", nlohmann::json()) != "record") continue;
    const auto id = json.find("case_id");
    if (id == json.end() || !id->is_string()) continue;
    const auto repetition = json.find("repetition");
    const bool told = repetition != json.end() && repetition->is_number_integer();
    out[{id->get<std::string>(), told ? repetition->get<int>() : 1}] = number;
  }
  return out;
}

}  // namespace stepmark
