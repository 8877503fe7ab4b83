// SPDX-License-Identifier: Apache-2.0
// The name ends at the first '=': files may have one.
#include "harness/cli/labelled_side.h"

#include "core/error.h"

namespace stepmark {

NamedSide labelled_side(const std::string& word, const ReadOptions& read) {
  const auto equals = word.find('=');
  STEPMARK_REQUIRE(equals != std::string::npos && equals > 0 && equals + 1 < word.size(),
                   "--label '{}': expected NAME=FILE.smk[,FILE.smk...]", word);
  return {.name = word.substr(0, equals), .side = read_side(word.substr(equals + 1), read)};
}

}  // namespace stepmark
