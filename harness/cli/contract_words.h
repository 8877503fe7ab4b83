// SPDX-License-Identifier: Apache-2.0
// The grammar of `contract` and of its four commands. Internal to harness/cli.
#pragma once

#include <CLI/App.hpp>
#include <functional>

#include "core/error.h"
#include "harness/cli/options.h"

namespace stepmark {

// Adds the command; what was asked for is left in `options` and `chosen`. Both must outlive `app`.
void add_contract_words(CLI::App& app, ContractOptionsCli& options,
                        std::function<ExitCode()>& chosen);

}  // namespace stepmark
