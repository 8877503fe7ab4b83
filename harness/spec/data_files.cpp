// SPDX-License-Identifier: Apache-2.0
// The program's own place decides, read from /proc/self/exe, and no variable or working folder: the
// data of another version must not be found by chance.
#include "harness/spec/data_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/error.h"
#include "core/yaml.h"
#include "harness/spec/file_reference.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;

std::string locate_data() {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  const fs::path installed = program.parent_path().parent_path() / "share" / "stepmark";
  if (fs::is_directory(installed / "suites")) return installed.string();
  for (fs::path folder = program.parent_path(); folder != folder.root_path();
       folder = folder.parent_path()) {
    const fs::path candidate = folder / "cluster-configs";
    if (fs::is_directory(candidate / "suites")) return candidate.string();
  }
  throw Error(ExitCode::kEnvironment,
              fmt::format("no data folder for '{}': expected '{}' with workloads, suites and "
                          "clusters; install stepmark with 'cmake --install'",
                          program.string(), installed.string()));
}

// Published figures are results: in the source tree they stand there, installed beside the rest.
fs::path folder_of(const std::string& kind) {
  const fs::path folder = fs::path(data_folder()) / kind;
  if (kind != "published" || fs::is_directory(folder)) return folder;
  return fs::path(data_folder()).parent_path() / "results" / kind;
}

}  // namespace

const std::string& data_folder() {
  static const std::string folder = locate_data();
  return folder;
}

std::vector<std::string> shipped(const std::string& kind) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_of(kind))) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string find_file(const std::string& kind, const std::string& name) {
  if (names_a_file(name)) return name;
  const fs::path file = folder_of(kind) / (name + ".yaml");
  if (fs::is_regular_file(file)) return file.string();
  const std::vector<std::string> names = shipped(kind);
  const std::string nearest = nearest_name(name, names);
  throw Error(ExitCode::kUsage,
              fmt::format("no '{}' among the shipped {}; {}", name, kind,
                          nearest.empty()
                              ? fmt::format("there are: {}; or give the path of a .yaml file",
                                            fmt::join(names, " "))
                              : fmt::format("did you mean '{}'? (or give the path of a .yaml file)",
                                            nearest)));
}

std::string read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  STEPMARK_REQUIRE(file.good(), "cannot read '{}': {}", path,
                   std::generic_category().message(errno));
  return text.str();
}

std::vector<Workload> shipped_workloads() {
  std::vector<Workload> workloads;
  for (const std::string& name : shipped("workloads")) {
    workloads.push_back(read_workload(find_file("workloads", name)));
  }
  return workloads;
}

std::vector<KnownGpu> shipped_gpus() {
  std::vector<KnownGpu> gpus;
  for (const std::string& name : shipped("gpus")) {
    gpus.push_back(read_known_gpu(find_file("gpus", name)));
  }
  return gpus;
}

}  // namespace stepmark
