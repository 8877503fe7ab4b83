// SPDX-License-Identifier: Apache-2.0
// Formats that runs are written to files in. Each is a folder results/views/NAME with one function,
// FileFormat format_NAME(), and a line in the list of results/views/CMakeLists.txt; the option of
// `report` follows from it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "results/record/journal.h"
#include "results/views/format/format_list.h"  // generated: STEPMARK_FILE_FORMATS(X)

namespace stepmark {

struct FileFormat {
  std::string option;  // "csv": `report --csv FILE`
  std::string help;    // of the option
  std::string title;   // what a message calls the file
  // All of the file; pure. Error(kUsage) for runs that it cannot show.
  std::string (*text)(std::span<const Run> runs) = nullptr;
};

#define STEPMARK_FORMAT_FUNCTION(name) FileFormat format_##name();
STEPMARK_FILE_FORMATS(STEPMARK_FORMAT_FUNCTION)
#undef STEPMARK_FORMAT_FUNCTION

// All, in the order of the list, which is that of the options in the help.
[[nodiscard]] const std::vector<FileFormat>& file_formats();

}  // namespace stepmark
