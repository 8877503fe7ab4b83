// SPDX-License-Identifier: Apache-2.0
// Steps of one rank, timed on request, for scripts that let stepmark and another program take turns
// on one device.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "harness/backend/machine.h"

namespace stepmark {

class StepsOnRequest {
 public:
  // `machine`: of one rank; outlives it.
  explicit StepsOnRequest(Machine& machine);
  ~StepsOnRequest();
  StepsOnRequest(const StepsOnRequest&) = delete;
  StepsOnRequest& operator=(const StepsOnRequest&) = delete;

  // Of one line of JSON: {"do": "prepare", "workload": ..., "plan": ...}, {"do": "step", "count":
  // ...} or {"do": "release"}. A request that cannot be met is answered by {"error": ...}.
  [[nodiscard]] nlohmann::json answer(const std::string& line);

 private:
  struct Ready;  // a step of a model under a plan

  nlohmann::json prepare(const nlohmann::json& ask);
  nlohmann::json step(int count);

  Machine& machine_;
  std::unique_ptr<Ready> ready_;
};

}  // namespace stepmark
