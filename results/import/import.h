// SPDX-License-Identifier: Apache-2.0
// What other tools printed, as the records of a journal: provenance `imported`, summaries without
// samples, and with each record where it came from. Figures are computed again from sizes, ranks
// and times; where the file says otherwise, the record says so. docs/file-formats.md, "Imports".
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "results/record/journal.h"

namespace stepmark {

struct ImportSource {
  std::string path;  // for messages; records keep the name without folders
  std::string content;
};

struct ImportOptions {
  std::string format;      // one of import_formats(); empty: seen from the content
  std::string collective;  // of tests whose log does not say which they are
  int ranks = 0;           // of tests whose log does not say how many; 0: it must
};

// Ready to be written as a journal.
struct Import {
  RunHeader header;  // without command and time of start, which are the caller's
  std::vector<Record> records;
  std::vector<std::string> remarks;  // what was left out or looked odd; in header.config as well
  // kCheckFailed when a check of the file failed, kNotMeasured when one is cut or a row has no
  // time.
  ExitCode code = ExitCode::kOk;
  std::string reason;  // of the code, for the journal's last line
};

[[nodiscard]] const std::vector<std::string>& import_formats();

// Error(kUsage) "file:line: what was found, what was expected, what to do" for what is no output of
// the format, and for what cannot be told: an unknown collective, an unknown number of ranks, N
// runs of one rank in the place of one run of N. The same content gives the same run_id, so that it
// is never compared with itself. Several records of one case are its repetitions.
[[nodiscard]] Import import_files(std::span<const ImportSource> sources,
                                  const ImportOptions& options = {});

// The bytes of a file. Error(kUsage) when it cannot be read or is larger than any log.
[[nodiscard]] ImportSource read_import_source(const std::string& path);

}  // namespace stepmark
