// SPDX-License-Identifier: Apache-2.0
// For tests of files of YAML: the shipped ones, and one with a mistake in a folder of the test.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/error.h"

namespace stepmark {

inline std::vector<std::filesystem::path> yaml_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(STEPMARK_CONFIGS) / folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  EXPECT_FALSE(files.empty()) << folder;
  return files;
}

class YamlMistakes : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("stepmark_yaml_{}", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // What `read` says of a file with this text, behind the file's name.
  template <class Read>
  std::string error_of(const std::string& text, Read read) {
    const std::filesystem::path file = folder_ / "f.yaml";
    std::ofstream(file) << text;
    try {
      (void)read(file.string());
    } catch (const ConfigError& error) {
      const std::string& message = error.message();
      EXPECT_THAT(message, ::testing::StartsWith(file.string()));
      return message.substr(file.string().size());
    }
    return "no error";
  }

  std::filesystem::path folder_;
};

}  // namespace stepmark
