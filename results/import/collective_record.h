// SPDX-License-Identifier: Apache-2.0
// A row of another tool's table as a record of the family `collective`. Internal to results/import.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "results/import/importer.h"
#include "results/import/text_lines.h"

namespace stepmark {

// What is told of one collective of one size. Times in seconds, bandwidths in GB/s.
struct ToldCollective {
  std::string collective, dtype, op, placement;  // in our words; op "" and placement "" where none
  std::string mode;                              // how calls follow each other
  std::string told_time;  // which time it is: "mean of 20 calls and of all ranks"
  std::string id_end;     // what sets it apart from a case of ours: "/osu_latency"
  std::int64_t size_bytes = 0;
  int ranks = 0;  // 0: not known
  int line = 0;
  std::optional<PrintedNumber> time_s;  // none: no_time says why
  std::string no_time;
  std::optional<PrintedNumber> algbw, busbw;
  std::int64_t count = 0;  // of calls that the time is of; 0: not said
  std::optional<double> min_s, max_s, p95_s, p99_s;
  // What the tool found wrong; none: it did not check, or did not say.
  std::optional<double> wrong;
  std::string check_detail;
  std::vector<std::string> labels;
  std::vector<std::pair<std::string, double>> numbers;
  std::vector<std::pair<std::string, std::string>> texts;
};

// Figures follow from size, ranks and time; a bandwidth of the file that they contradict by more
// than both were rounded becomes a label. No time: the outcome is not-measured. Wrong data: failed.
[[nodiscard]] Record collective_record(const ImportSource& source, const std::string& tool,
                                       const ToldCollective& told);

// What every imported record has: provenance, where it stands and what printed it.
void add_source(Record& record, const ImportSource& source, const std::string& tool, int line);
// The summary of its time. NaN: not told.
void set_time(Record& record, std::int64_t count, double time_s, double min_s, double max_s);
// Gives it no time, for this reason.
void set_not_measured(Record& record, std::string reason);

// The number of ranks of which busbw ÷ algbw is the bus factor of the collective, as far as their
// digits tell exactly one; 0 where they do not.
[[nodiscard]] int ranks_from_bandwidths(const std::string& collective, const PrintedNumber& algbw,
                                        const PrintedNumber& busbw);

}  // namespace stepmark
