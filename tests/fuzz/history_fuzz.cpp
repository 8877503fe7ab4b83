// SPDX-License-Identifier: Apache-2.0
// A history whose file was changed anywhere: each four bytes of the input are a place in it and
// what stands there. Whatever it is, it is read or refused with an Error.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "core/error.h"
#include "core/log.h"
#include "results/history/check.h"
#include "results/history/database.h"
#include "results/history/kept_runs.h"
#include "results/views/csv/history_csv.h"
#include "results/views/openmetrics/openmetrics.h"
#include "results/views/table/check_table.h"
#include "synthetic.h"

namespace {

std::string path_of(const char* name) {
  const auto folder = std::filesystem::temp_directory_path();
  return (folder / (name + std::to_string(::getpid()))).string();
}

void remove_all(const std::string& path) {
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
}

// Thirty runs of a few cases, slower from the twentieth on, checked.
std::string whole_file() {
  using namespace stepmark;
  const std::string path = path_of("stepmark-history-whole-");
  remove_all(path);
  {
    History history(path, History::Open::create);
    for (std::uint64_t night = 1; night <= 30; ++night) {
      Run run = synthetic::run({.seed = night,
                                .slowdown = night < 20 ? 1.0 : 1.2,
                                .count = 8,
                                .collectives = false,
                                .timeline = false});
      run.header.run_id = std::to_string(night);
      run.header.started = utc_text(1'700'000'000 + static_cast<std::int64_t>(night) * 86400);
      static_cast<void>(history.add(run));
    }
    static_cast<void>(check_history(history));
    history.database().run("PRAGMA journal_mode = DELETE");
  }
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  remove_all(path);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stepmark;
  static const std::string whole = whole_file();
  static const std::string path = path_of("stepmark-history-fuzz-");
  set_log_level(LogLevel::error);
  std::string bytes = whole;
  for (std::size_t i = 0; i + 4 <= size && i < 256; i += 4) {
    const std::size_t place = data[i] | data[i + 1] << 8U | data[i + 2] << 16U;
    bytes[place % bytes.size()] = static_cast<char>(data[i + 3]);
  }
  remove_all(path);
  std::ofstream(path, std::ios::binary) << bytes;
  try {
    const History history(path, History::Open::existing);
    const CheckResult result = check_history(history);
    static_cast<void>(check_table(result, true));
    static_cast<void>(openmetrics_text(history, result, true));
    static_cast<void>(history_csv(history, false));
    static_cast<void>(
        kept_runs(history, {.to = std::numeric_limits<std::int64_t>::max(), .place = {}}));
  } catch (const Error&) {  // refused
  }
  remove_all(path);
  return 0;
}
