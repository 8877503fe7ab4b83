// SPDX-License-Identifier: Apache-2.0
// dlopen over a list of folders, the user's first, then the loader's own search, then CUDA's usual
// places. Never closed: such libraries leave threads and exit handlers behind.
#include "core/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>

namespace stepmark {
namespace {

std::string variable(const std::string& name) {
  // Nobody changes the environment while libraries are opened.
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::string() : std::string(value);
}

void add_folders(std::vector<std::string>& folders, const std::string& list) {
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) folders.push_back(list.substr(begin, end - begin) + "/");
    begin = end + 1;
  }
}

// In the order of search; "" stands for the loader's own.
std::vector<std::string> folders_to_search() {
  std::vector<std::string> folders;
  add_folders(folders, variable("STEPMARK_LIBRARY_PATH"));
  folders.emplace_back();
  const std::string home = variable("CUDA_HOME");
  if (!home.empty()) folders.push_back(home + "/lib64/");
  folders.emplace_back("/usr/local/cuda/lib64/");
  return folders;
}

std::string path_of(void* handle, const std::string& otherwise) {
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) != 0 || map == nullptr) {
    return otherwise;
  }
  return map->l_name;
}

}  // namespace

SharedLibrary SharedLibrary::open(const LibraryQuery& query) {
  std::vector<std::string> candidates;
  const std::string chosen = variable(std::string(query.variable));
  if (!chosen.empty()) {
    candidates.push_back(chosen);
  } else {
    for (const std::string& folder : folders_to_search()) {
      for (const std::string& name : query.names) candidates.push_back(folder + name);
    }
  }
  SharedLibrary library;
  for (const std::string& candidate : candidates) {
    if (void* handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      // Never closed: such libraries leave threads and exit handlers behind.
      library.handle_ = {handle, [](void*) {}};
      library.path_ = path_of(handle, candidate);
      library.error_.clear();
      return library;
    }
    const char* reason = dlerror();  // NOLINT(concurrency-mt-unsafe): of this thread, in glibc
    if (library.error_.empty()) library.error_ = reason != nullptr ? reason : candidate;
  }
  return library;
}

void* SharedLibrary::address_of(const char* name) const {
  return handle_ ? dlsym(handle_.get(), name) : nullptr;
}

}  // namespace stepmark
