// SPDX-License-Identifier: Apache-2.0
// Results go by the workload's name, so a file whose name is taken by another is refused with both
// places. Errors stand at the entry that names the file, or are plain usage errors for the command
// line's.
#include "harness/cases/workload_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "core/error.h"
#include "harness/spec/data_files.h"
#include "harness/spec/file_reference.h"

namespace stepmark {
namespace {

std::string text_of(const YamlPlace& place) {
  if (place.file.empty()) return "the command line";
  return fmt::format("{}:{}:{}", place.file, place.line, place.column);
}

[[noreturn]] void fail_at(const YamlPlace& place, const std::string& message) {
  if (place.file.empty()) throw Error(ExitCode::kUsage, message);
  throw ConfigError(place.file, place.line, place.column, message);
}

Workload read_named(const std::string& path, const YamlPlace& place) {
  try {
    return read_workload(path);
  } catch (const ConfigError& error) {
    if (place.file.empty()) throw;
    throw Error(ExitCode::kUsage,
                fmt::format("{} (workload of {})", error.message(), text_of(place)));
  }
}

// Where the workload that an entry names stands.
std::string path_of(const NamedWorkload& named) {
  try {
    return find_file("workloads", named.name);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage) throw;
    fail_at(named.place, error.message());
  }
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return a == b || std::filesystem::equivalent(a, b, ignored);
}

}  // namespace

WorkloadFiles read_workload_files(Suite& suite) {
  WorkloadFiles files;
  files.workloads = shipped_workloads();
  std::map<std::string, YamlPlace> named;
  for (SuiteEntry& one : suite.entries) {
    const std::optional<NamedWorkload> entry = one.named_workload();
    if (!entry) continue;
    const std::string path = path_of(*entry);
    std::optional<Workload> own;
    if (names_a_file(entry->name)) {
      own = read_named(path, entry->place);
      entry->name = own->name;
    }
    const auto [known, is_new] = files.paths.try_emplace(entry->name, path);
    if (!is_new && !same_file(known->second, path)) {
      fail_at(entry->place,
              fmt::format("workload '{}' of '{}' has the name of that of '{}', which {} names: "
                          "rename one, results go by name",
                          entry->name, path, known->second, text_of(named.at(entry->name))));
    }
    named.try_emplace(entry->name, entry->place);
    if (!own || !is_new) continue;
    std::erase_if(files.workloads, [&](const Workload& w) { return w.name == own->name; });
    files.workloads.push_back(std::move(*own));
  }
  return files;
}

}  // namespace stepmark
