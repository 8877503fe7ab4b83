// SPDX-License-Identifier: Apache-2.0
// A slash or a YAML ending makes a name a path; a path inside a file is relative to that file.
#include "harness/spec/file_reference.h"

#include <filesystem>

namespace stepmark {

bool names_a_file(std::string_view name) {
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.find('/') != name.npos;
}

std::string relative_to_file(const std::string& from, const std::string& path) {
  return (std::filesystem::path(from).parent_path() / path).lexically_normal().string();
}

}  // namespace stepmark
