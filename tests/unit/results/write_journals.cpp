// SPDX-License-Identifier: Apache-2.0
// Journals for the tests of the schema and of the hashes: usage write_journals FOLDER. With --read
// FILE: what reading it says; exit code 1 when it is refused.
#include <cstdio>
#include <string>

#include "core/error.h"
#include "results/families/read_journal.h"
#include "synthetic.h"

namespace {

int read(const char* path) {
  try {
    for (const auto& warning : stepmark::read_journal(path).warnings) {
      std::puts(warning.c_str());
    }
    return 0;
  } catch (const stepmark::Error& error) {
    std::puts(error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  using namespace stepmark;
  if (argc == 3 && std::string_view(argv[1]) == "--read") {
    return read(argv[2]);
  }
  if (argc != 2) {
    return 2;
  }
  const std::string folder = argv[1];
  synthetic::write(synthetic::run({.seed = 1}), folder + "/plain.smk");
  synthetic::write(synthetic::run({.seed = 2, .count = 3, .hostile = true}),
                   folder + "/hostile.smk");
  const auto part = synthetic::run({.seed = 3, .nothing_measured = true});
  synthetic::write(part, folder + "/resumed.smk");
  auto writer = JournalWriter::append(folder + "/resumed.smk", part.header);
  for (const auto& record : synthetic::run({.seed = 3}).records) {
    writer.write(record);
  }
  synthetic::write(synthetic::imported_run(5), folder + "/imported.smk");
  auto repeated = synthetic::run({.seed = 4, .timeline = false});
  repeated.header.repetitions = 2;
  synthetic::write(repeated, folder + "/repeated.smk");
  repeated.header.repetition = 2;
  auto second = JournalWriter::append(folder + "/repeated.smk", repeated.header);
  for (auto record : repeated.records) {
    record.repetition = 2;
    second.write(record);
  }
  return 0;
}
