// SPDX-License-Identifier: Apache-2.0
// Where in a journal a record stands, for whoever shows where a figure comes from.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace stepmark {

// By case and repetition: the line, from 1, of the record that counts, which is the last.
using RecordLines = std::map<std::pair<std::string, int>, int>;

// Of a journal's content that could be read; a line that cannot (accepted damage) is passed over.
[[nodiscard]] RecordLines record_lines(std::string_view content);

}  // namespace stepmark
