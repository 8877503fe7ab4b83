// SPDX-License-Identifier: Apache-2.0
// Parallel forms that people know and look for, and that cannot be lowered yet. Who asks for one
// shall read that, and not the name of some other form.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/yaml.h"

namespace stepmark {

// "offload" -> "offload: offloading to the host is not built yet, see docs/architecture.md"; of a
// form that there is, under another name ("vpp"), its key; nothing for names that are no such form.
// Case-insensitive,
// '-' counts as '_'.
[[nodiscard]] std::optional<std::string> form_not_built(std::string_view name);

// ConfigError at the first key of `map` that is such a form.
void refuse_forms_not_built(const YamlMap& map);

}  // namespace stepmark
