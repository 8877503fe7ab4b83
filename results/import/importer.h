// SPDX-License-Identifier: Apache-2.0
// What a format is to importing: a file of its own, and a line in the list of CMakeLists.txt.
// Internal to results/import.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/import/import.h"
#include "results/import/importer_list.h"  // generated: STEPMARK_IMPORTERS(X)
#include "results/record/environment.h"
#include "results/record/record.h"

namespace stepmark {

// What one file comes to.
struct ImportedFile {
  std::string tool;  // "nccl-tests 2.17.6"; without version where the file has none
  std::vector<Record> records;
  std::vector<std::string> remarks;  // each with its line
  std::vector<EnvironmentFact> environment;
  bool cut = false;  // it ends before its tool did
};

struct Importer {
  std::string_view name;     // on the command line
  std::string_view expects;  // what such a file has, for messages
  bool (*recognises)(std::string_view content) = nullptr;
  ImportedFile (*read)(const ImportSource& source, const ImportOptions& options) = nullptr;
};

#define STEPMARK_IMPORTER_FUNCTION(id, name) Importer importer_##id();
STEPMARK_IMPORTERS(STEPMARK_IMPORTER_FUNCTION)
#undef STEPMARK_IMPORTER_FUNCTION

// Error(kUsage) "file:line: ..."; line 0 stands for the whole file.
template <class... Args>
[[noreturn]] void refuse_import(const ImportSource& source, int line,
                                fmt::format_string<Args...> message, Args&&... args) {
  const std::string place =
      line > 0 ? fmt::format("{}:{}", source.path, line) : std::string(source.path);
  throw Error(ExitCode::kUsage,
              fmt::format("{}: {}", place, fmt::format(message, std::forward<Args>(args)...)));
}

}  // namespace stepmark
