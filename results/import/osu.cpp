// SPDX-License-Identifier: Apache-2.0
// OSU Micro-Benchmarks as text: latency, bandwidth and blocking collectives, with or without the
// columns of -f. The tables do not say of how many ranks they are, and count sizes their own way:
// of gathers and exchanges per rank or peer, where ours is of all.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "results/import/collective_record.h"
#include "results/import/importer.h"
#include "results/import/names.h"
#include "results/import/source_facts.h"
#include "results/import/text_lines.h"

namespace stepmark {
namespace {

constexpr double kMicro = 1e-6;
constexpr double kMB = 1e6;

enum class Column : std::uint8_t {
  size,
  time,
  lowest,
  highest,
  p99,
  iterations,
  bandwidth,
  pass,
  other
};

// A test that is understood, by its title.
struct Kind {
  std::string collective;
  std::string id_end;         // of what is no case of ours
  std::string mode;           // how calls follow each other
  double calls_per_size = 1;  // bandwidth × time = size × this
  bool of_all = false;        // the table's size is one rank's part of ours
  bool pair = false;          // two ranks
};

std::optional<Kind> kind_of(const std::string& title) {
  const std::string name = lower_case(title);
  if (name == "latency") {
    return Kind{.collective = "send_recv",
                .id_end = "/osu_latency",
                .mode = "half of a ping-pong",
                .pair = true};
  }
  if (name == "bandwidth") {
    return Kind{.collective = "send_recv",
                .id_end = "/osu_bw",
                .mode = "a window of messages, one way",
                .pair = true};
  }
  if (name == "bi-directional bandwidth") {
    // Both directions together: a swap of S bytes moves 2 S.
    return Kind{.collective = "exchange",
                .id_end = "/osu_bibw",
                .mode = "a window of messages, both ways",
                .calls_per_size = 2,
                .pair = true};
  }
  std::string_view bare = name;
  if (bare.ends_with(" latency")) bare.remove_suffix(8);
  const std::string collective = collective_name(bare);
  if (collective.empty() || bare.find("non-blocking") != std::string_view::npos)
    return std::nullopt;
  constexpr std::array<std::string_view, 6> kOfAll{"all_gather",   "all_gather_v", "all_to_all",
                                                   "all_to_all_v", "gather",       "scatter"};
  return Kind{.collective = collective,
              .mode = "a barrier between calls",
              .of_all = std::find(kOfAll.begin(), kOfAll.end(), collective) != kOfAll.end()};
}

Column column_of(std::string_view title) {
  const std::string name = lower_case(title);
  const auto has = [&](std::string_view text) { return name.find(text) != std::string::npos; };
  if (name == "size") return Column::size;
  if (has("min latency")) return Column::lowest;
  if (has("max latency")) return Column::highest;
  if (has("p99")) return Column::p99;
  if (has("p50") || has("p90") || has("tail")) return Column::other;
  if (has("latency")) return Column::time;
  if (has("bandwidth")) return Column::bandwidth;
  if (has("iterations")) return Column::iterations;
  if (has("validation")) return Column::pass;
  return Column::other;
}

// Words after which a launcher's command has the number of processes.
int ranks_in_command(std::string_view line) {
  const auto words = words_of(line);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].find("osu_") != std::string_view::npos) return 0;  // the program's own options
    std::string_view value;
    for (const std::string_view name : {"-np", "-n", "--np", "--ntasks"}) {
      if (words[i] == name && i + 1 < words.size()) value = words[i + 1];
    }
    if (const auto joined = after(words[i], "--ntasks=")) value = *joined;
    const auto ranks = whole_number(value).value_or(0);
    if (ranks > 0 && ranks <= 1 << 20) return static_cast<int>(ranks);
  }
  return 0;
}

class OsuReader {
 public:
  OsuReader(const ImportSource& source, const ImportOptions& options)
      : source_(source), options_(options) {}

  ImportedFile read() {
    for (const TextLine& line : text_lines(source_.content)) {
      const std::string_view text = trimmed(line.text);
      if (text.starts_with('#')) {
        take_comment(line.number, trimmed(text.substr(1)));
      } else if (text.find("osu_") != std::string_view::npos) {
        if (const int ranks = ranks_in_command(text); ranks > 0) ranks_ = ranks;
        in_test_ = false;
      } else if (in_test_ && !columns_.empty()) {
        take_row(line, words_of(text));
      }
    }
    return std::move(out_);
  }

 private:
  void take_comment(int number, std::string_view text) {
    if (const auto title = after(text, "OSU ")) {
      begin(number, *title);
    } else if (const auto type = after(text, "Datatype:")) {
      std::string_view name = trimmed(*type);
      if (name.ends_with('.')) name.remove_suffix(1);
      dtype_ = dtype_name(name);
    } else if (in_test_ && (lower_case(text).find("latency") != std::string::npos ||
                            text.starts_with("Size"))) {
      take_columns(number, text);
    }
  }

  // "MPI-CUDA Allreduce Latency Test v5.9"
  void begin(int number, std::string_view text) {
    const auto end = text.find(" Test");
    columns_.clear();
    dtype_.clear();
    in_test_ = false;
    if (end == std::string_view::npos) return;
    const std::string_view title = text.substr(0, end);
    const auto space = std::min(title.find(' '), title.size());
    library_ = std::string(title.substr(0, space));
    const auto words = words_of(text.substr(end + 5));
    const std::string_view version = words.empty() ? std::string_view() : words[0];
    tool_ = fmt::format("OSU {}", version.starts_with('v') ? version.substr(1) : version);
    out_.tool = tool_;
    kind_ = kind_of(std::string(trimmed(title.substr(space))));
    if (!kind_) {
      out_.remarks.push_back(fmt::format(
          "line {}: '{}' is none of latency, bandwidth and blocking collectives: left out", number,
          title));
      return;
    }
    in_test_ = true;
  }

  void take_columns(int number, std::string_view text) {
    columns_.clear();
    for (const std::string_view cell : wide_cells(text)) columns_.push_back(column_of(cell));
    const auto has = [&](Column one) {
      return std::find(columns_.begin(), columns_.end(), one) != columns_.end();
    };
    if (!has(Column::time) && !has(Column::bandwidth)) {
      refuse_import(source_, number, "columns '{}': expected a latency or a bandwidth", text);
    }
  }

  // Whether the words are a row: numbers, but for the verdict of -c.
  [[nodiscard]] bool is_row(const std::vector<std::string_view>& words) const {
    return !words.empty() && words.size() <= columns_.size() &&
           (whole_number(words[0]) || columns_[0] != Column::size) &&
           words[0].find_first_not_of("0123456789.") == std::string_view::npos;
  }

  void take_row(const TextLine& line, const std::vector<std::string_view>& words) {
    if (!is_row(words)) return;
    ToldCollective told{.collective = kind_->collective,
                        .mode = kind_->mode,
                        .id_end = kind_->id_end,
                        .line = line.number};
    std::int64_t size = 0;
    std::string printed;
    std::optional<PrintedNumber> bandwidth;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto number = printed_number(words[i]);
      const auto time = number ? std::optional(scaled(*number, kMicro)) : std::nullopt;
      switch (columns_[i]) {
        case Column::size:
          size = whole_number(words[i]).value_or(0);
          break;
        case Column::time:
          told.time_s = time;
          printed = std::string(words[i]);
          break;
        case Column::bandwidth:
          bandwidth = number;
          printed = std::string(words[i]);
          break;
        case Column::p99:
          if (time) told.p99_s = time->value;
          break;
        case Column::lowest:
          if (time) told.numbers.emplace_back("fastest_rank_s", time->value);
          break;
        case Column::highest:
          if (time) told.numbers.emplace_back("slowest_rank_s", time->value);
          break;
        case Column::iterations:
          told.count = whole_number(words[i]).value_or(0);
          break;
        case Column::pass:
          take_check(words[i], told);
          break;
        case Column::other:
          break;
      }
    }
    if (words.size() < columns_.size()) {
      told.time_s.reset();
      bandwidth.reset();
      told.no_time = fmt::format("line {}: {} of {} columns are there", line.number, words.size(),
                                 columns_.size());
      if (!line.whole) out_.cut = true;
    }
    finish(told, size, bandwidth, printed);
  }

  static void take_check(std::string_view verdict, ToldCollective& told) {
    told.wrong = lower_case(verdict) == "pass" ? 0 : 1;
    told.check_detail = fmt::format("validation: {} (OSU)", verdict);
  }

  void finish(ToldCollective& told, std::int64_t size,
              const std::optional<PrintedNumber>& bandwidth, const std::string& printed) {
    const bool barrier = told.collective == "barrier";
    told.ranks = ranks(told.line);
    if (size <= 0 && !barrier) {
      out_.remarks.push_back(
          fmt::format("line {}: a size of 0 bytes moves nothing: left out", told.line));
      return;
    }
    if (size > (std::int64_t{1} << 62U) / (1 << 20)) {
      refuse_import(source_, told.line, "a size of {} bytes: no message is that large", size);
    }
    told.size_bytes = barrier ? 0 : kind_->of_all ? size * told.ranks : size;
    if (kind_->of_all) told.numbers.emplace_back("told_size_bytes", size);
    if (bandwidth && bandwidth->value > 0) {
      const double time =
          kind_->calls_per_size * static_cast<double>(size) / (bandwidth->value * kMB);
      told.time_s =
          PrintedNumber{.value = time, .half_unit = time * bandwidth->half_unit / bandwidth->value};
    }
    if (!told.time_s && told.no_time.empty()) {
      told.no_time =
          fmt::format("line {}: '{}' is no positive number", told.line, printed.substr(0, 32));
    }
    describe(told, bandwidth.has_value());
    out_.records.push_back(collective_record(source_, tool_, told));
  }

  void describe(ToldCollective& told, bool from_bandwidth) const {
    const bool moves = told.collective != "barrier";
    if (reduces(told.collective)) told.op = "sum";
    if (moves) {
      told.dtype = !dtype_.empty() ? dtype_ : reduces(told.collective) ? "fp32" : "int8";
      told.placement = "out-of-place";
    }
    told.told_time = from_bandwidth ? "of one message, from the bandwidth"
                     : kind_->pair  ? "mean of calls"
                                    : "mean of calls and of all ranks";
    if (told.count == 0) told.labels.emplace_back("repeats not stated");
    if (!told.wrong) told.labels.emplace_back("not checked, or the file does not say");
    told.texts.emplace_back("library", library_);
    std::string unknown = "transport, algorithm, clocks";
    if (moves && dtype_.empty()) unknown += ", type (OSU's default is taken)";
    told.texts.emplace_back(facts::source::kUnknown, unknown);
  }

  int ranks(int line) const {
    if (kind_->pair) return 2;
    if (ranks_ > 0 && options_.ranks > 0 && ranks_ != options_.ranks) {
      refuse_import(source_, line,
                    "the command above starts {} ranks, --ranks says {}: leave the option out",
                    ranks_, options_.ranks);
    }
    if (ranks_ > 0 || options_.ranks > 0) return std::max(ranks_, options_.ranks);
    refuse_import(source_, line,
                  "OSU's tables do not say how many ranks there were, and no command 'mpirun -np N "
                  "... osu_...' stands above this one; say it with --ranks N");
  }

  const ImportSource& source_;
  const ImportOptions& options_;
  ImportedFile out_;
  std::optional<Kind> kind_;
  std::string library_, tool_, dtype_;
  std::vector<Column> columns_;
  int ranks_ = 0;
  bool in_test_ = false;
};

bool recognises(std::string_view content) {
  return content.starts_with("# OSU ") || content.find("\n# OSU ") != std::string_view::npos ||
         content.find(":# OSU ") != std::string_view::npos;
}

ImportedFile read(const ImportSource& source, const ImportOptions& options) {
  return OsuReader(source, options).read();
}

}  // namespace

Importer importer_osu() {
  return {.name = "osu",
          .expects = "'# OSU MPI Allreduce Latency Test v7.5' and a table below it",
          .recognises = recognises,
          .read = read};
}

}  // namespace stepmark
