// SPDX-License-Identifier: Apache-2.0
// The journal of a run (FILE.smk): append-only JSON Lines, one line per fact, each written with one
// write() and followed by fsync(), so that whatever was measured survives a crash of anything.
// Every line carries a running hash (chain.h), so that a change to the file is noticed by whoever
// reads it. Lines: {"type":"run",...} first; {"type":"record",...}; {"type":"resume",...} when a
// later invocation continues or a later repetition begins; {"type":"end",...} when an invocation
// finished by itself.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/record/environment.h"
#include "results/record/record.h"

namespace stepmark {

struct RunHeader {
  int schema_version = kSchemaVersion;
  std::string run_id;   // unique: time and random bits
  std::string started;  // ISO 8601 UTC
  std::string tool_version, git_revision, build_type;
  bool dirty = false;  // built from a modified tree
  std::vector<std::string> command;
  std::string suite, backend;
  int ranks = 1;
  nlohmann::json config;  // echo of suite, workload, plan, cluster as read
  Environment environment;
  std::vector<std::string> cases;  // ids of all that was asked, in order
  int repetitions = 1;             // how often each case was asked to be measured
  int repetition = 0;  // of a resume line: the repetition that begins; 0: a later invocation
};

class JournalWriter {
 public:
  // New journal: Error(kUsage) when the file exists (unless it is empty) or cannot be written.
  [[nodiscard]] static JournalWriter create(const std::string& path, const RunHeader& header);
  // Continue: reads what is there, truncates an incomplete last line, appends a resume line.
  // Error(kUsage) for a damaged journal and one without hashes.
  [[nodiscard]] static JournalWriter append(const std::string& path, const RunHeader& header);
  // Continue in the place of a writer that is gone: as append(), without a line of its own.
  [[nodiscard]] static JournalWriter take_over(const std::string& path);
  JournalWriter(JournalWriter&&) noexcept;
  JournalWriter& operator=(JournalWriter&&) noexcept;
  ~JournalWriter();
  // Durable when it returns. Error(kEnvironment) with errno text on failure (disk full); whatever
  // was written before stays readable, and a partial line is cut off again where possible.
  void write(const Record& record);
  void write(std::span<const Record> records);  // at once, for many that say little
  void write_end(int exit_code, const std::string& reason);
  // Empty while the path still names the file that is written; else what has happened to it.
  [[nodiscard]] std::string displaced() const;
  // After that: goes on under the name that the file now has, or, when it has none, in a copy of it
  // in the first of `folders` that takes one. Error(kEnvironment) when none does; the file without
  // name is then still written.
  void save(const std::vector<std::string>& folders);
  // Async-signal-unsafe but lock-free for other threads? No: callers serialise. `path()` for
  // messages.
  [[nodiscard]] const std::string& path() const;

 private:
  JournalWriter(std::string path, int fd);
  void append_line(const nlohmann::json& json);
  std::string path_;
  int fd_ = -1;
  std::string hash_;  // of the last line
};

struct Run {
  std::string path;
  RunHeader header;
  // One per case, in the order of header.cases: its record, or what its repetitions say together
  // (merge.h). The last record per case and repetition wins.
  std::vector<Record> records;
  // Of the cases that have several: every repetition's record, by case and repetition.
  std::vector<Record> parts;
  // Who wrote last: the repetition that its run or resume line begins (0: an invocation), and the
  // case and repetition of every record since.
  struct LastStart {
    int repetition = 0;
    std::set<std::pair<std::string, int>> written;
  } last_start;
  bool ended = false;  // an end line was found
  int exit_code = -1;
  std::vector<std::string> warnings;  // "line 17: incomplete last line ignored"
  bool hashed = true;                 // false: of a version that wrote no hashes
  std::vector<int> damaged_lines;     // read although they do not fit their hashes
  // Of the file that was read: its whole lines, their bytes, and the running hash of the last one
  // (chain.h), which stands for all of them; empty without hashes.
  struct Extent {
    std::int64_t lines = 0, bytes = 0;
    std::string chain;
  } extent;
  // Shown as marks beside others: figures of others that a reader knows, no run of this report.
  bool beside = false;
  [[nodiscard]] const Record* find(std::string_view case_id) const;
  // Records of a case by repetition, whatever their outcome; those never begun are not among them.
  // Pointers into this run.
  [[nodiscard]] std::vector<const Record*> repetitions(std::string_view case_id) const;
  // The same of all cases, for whoever asks for many: by case and repetition.
  using ByRepetition = std::map<std::pair<std::string_view, int>, const Record*>;
  [[nodiscard]] ByRepetition by_repetition() const;
  // Cases asked for without a record of outcome ok or skipped from every repetition asked for.
  [[nodiscard]] std::vector<std::string> missing() const;
};

struct ReadOptions {
  bool accept_damaged = false;  // read on behind lines that do not fit their hashes, labelled
};

// A journal is read by read_journal() of results/families, which knows how figures follow from
// samples.
}  // namespace stepmark
