// SPDX-License-Identifier: Apache-2.0
// Libraries that are looked for while running (NCCL, cuBLASLt, cuDNN, NVML): one binary then runs
// with the versions of the machine it finds itself on, uses what a newer one adds, and can say in
// words what is missing.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

struct LibraryQuery {
  // Environment variable with the path of one file that is used instead of all others.
  std::string_view variable;
  std::vector<std::string> names;  // file names, the preferred one first
};

class SharedLibrary {
 public:
  // Looks in the folders of STEPMARK_LIBRARY_PATH (separated by colons), where the loader looks
  // (LD_LIBRARY_PATH, its cache), in $CUDA_HOME/lib64 and in /usr/local/cuda/lib64. Never throws: a
  // library that was not found is false and has an error().
  [[nodiscard]] static SharedLibrary open(const LibraryQuery& query);

  explicit operator bool() const { return handle_ != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }  // as the loader resolved it
  [[nodiscard]] const std::string& error() const { return error_; }
  // Null when the library does not have it. F: a function type.
  template <class F>
  [[nodiscard]] F* symbol(const char* name) const {
    return reinterpret_cast<F*>(address_of(name));
  }

 private:
  [[nodiscard]] void* address_of(const char* name) const;

  std::shared_ptr<void> handle_;
  std::string path_, error_;
};

}  // namespace stepmark
