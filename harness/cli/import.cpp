// SPDX-License-Identifier: Apache-2.0
// The command `import`: what other tools printed becomes a journal.
#include "results/import/import.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>

#include "core/log.h"
#include "harness/cli/commands.h"

namespace stepmark {
namespace {

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

// FORMAT in front of the files, where it is there and no file of that name.
ImportOptions options_of(const ImportOptionsCli& cli, std::vector<std::string>& files) {
  ImportOptions out{.format = {}, .collective = cli.collective, .ranks = cli.ranks};
  files = cli.words;
  const auto& formats = import_formats();
  const bool first_is_format =
      std::find(formats.begin(), formats.end(), files.front()) != formats.end();
  if (first_is_format) {
    out.format = files.front();
    files.erase(files.begin());
    STEPMARK_REQUIRE(!files.empty(), "no file is named: stepmark import {} FILE... --out RUN.smk",
                     out.format);
  } else if (std::error_code ignored; files.size() > 1 &&
                                      !std::filesystem::exists(files.front(), ignored) &&
                                      files.front().find_first_of("./") == std::string::npos) {
    throw Error(ExitCode::kUsage,
                fmt::format("there is neither a file nor a format '{}'; formats: {}", files.front(),
                            fmt::join(formats, ", ")));
  }
  return out;
}

void say(const Import& imported, const std::string& out) {
  for (const std::string& remark : imported.remarks) log_warning("{}", remark);
  log_info("{}: {} records of {} cases from {}", out, imported.records.size(),
           imported.header.cases.size(), imported.header.backend);
  if (imported.code != ExitCode::kOk) {
    log_warning("{}; exit code {}", imported.reason, static_cast<int>(imported.code));
  }
}

}  // namespace

ExitCode import_command(const ImportOptionsCli& options) {
  std::vector<std::string> files;
  const ImportOptions how = options_of(options, files);
  std::error_code ignored;
  STEPMARK_REQUIRE(!std::filesystem::exists(options.out, ignored) ||
                       std::filesystem::file_size(options.out, ignored) == 0,
                   "{}: exists already: choose another --out", options.out);
  std::vector<ImportSource> sources;
  for (const std::string& file : files) sources.push_back(read_import_source(file));
  Import imported = import_files(sources, how);
  imported.header.command = options.command;
  imported.header.started = utc_now();
  auto journal = JournalWriter::create(options.out, imported.header);
  journal.write(imported.records);
  journal.write_end(static_cast<int>(imported.code), imported.reason);
  say(imported, options.out);
  return imported.code;
}

}  // namespace stepmark
