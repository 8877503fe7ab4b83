// SPDX-License-Identifier: Apache-2.0
// As slim as marks and their table allow: a page has up to some thousand of them.
#include "results/views/report/beside_json.h"

#include <nlohmann/json.hpp>

#include "results/record/common_facts.h"
#include "results/views/words/beside.h"

namespace stepmark {

nlohmann::json beside_json(std::span<const Run> runs) {
  auto out = nlohmann::json::array();
  for (const Record* record : records_beside(runs)) {
    nlohmann::json one{{"family", record->family},
                       {"case_id", record->case_id},
                       {"texts", nlohmann::json::object()},
                       {"numbers", nlohmann::json::object()},
                       {"metrics", nlohmann::json::object()},
                       {"median", nullptr}};
    for (const auto& [name, text] : record->texts) one["texts"][name] = text;
    for (const auto& [name, number] : record->numbers) one["numbers"][name] = number;
    for (const Metric& metric : record->metrics) {
      if (metric.value) one["metrics"][metric.name] = *metric.value;
    }
    if (const Summary* time = record->summary(facts::kTimeS)) one["median"] = time->median;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace stepmark
