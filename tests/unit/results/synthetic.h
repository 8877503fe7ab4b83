// SPDX-License-Identifier: Apache-2.0
// Runs made up from a seed, to exercise everything that reads results. The same on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "results/record/journal.h"

namespace stepmark::synthetic {

// Portable normal variates (the standard leaves std::normal_distribution to the library).
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : bits_(seed) {}
  [[nodiscard]] double uniform();  // (0, 1)
  [[nodiscard]] double normal();

 private:
  std::mt19937_64 bits_;
};

// Times around `median_s`: relative sd `noise`, lag-1 autocorrelation `correlation`, a slow tail.
struct TimesSpec {
  double median_s = 1e-3;
  int count = 60;
  double noise = 0.01;
  double correlation = 0;
};
[[nodiscard]] std::vector<double> times(const TimesSpec& spec, Noise& noise);

struct RunSpec {
  std::uint64_t seed = 1;
  std::string name = "synthetic";
  double slowdown = 1;        // every time is multiplied by this
  double between_run_sd = 0;  // relative; every case shifts by its own draw
  double noise = 0.01;
  double correlation = 0;
  int count = 60;
  bool collectives = true;
  bool kernels = true;
  bool steps = true;
  bool nothing_measured = false;  // every case not-measured
  bool hostile = false;           // strings that try to break out of HTML, CSV and terminals
  bool timeline = true;
};

[[nodiscard]] RunHeader header(const RunSpec& spec);
[[nodiscard]] Run run(const RunSpec& spec);
void write(const Run& run, const std::string& path);  // as a journal with an end line
// A journal of these lines, with hashes that fit.
[[nodiscard]] std::string chained(const std::vector<nlohmann::json>& lines);
// The same without hashes: what version 1 wrote.
[[nodiscard]] std::string unchained(const std::vector<nlohmann::json>& lines);
// The lines of a run's journal, end line included.
[[nodiscard]] std::vector<nlohmann::json> lines_of(const Run& run);

// One record per family with given times; summaries and metrics derived.
[[nodiscard]] Record collective(std::string_view kind, std::int64_t size_bytes,
                                std::string_view placement, std::vector<double> times);
[[nodiscard]] Record kernel(std::string_view name, double flops, double bytes,
                            std::vector<double> times);
[[nodiscard]] Record step(std::string_view workload, std::vector<double> times, bool timeline);
// As imported: median and count of its times, without samples and, but for what is given, nothing
// else of them.
[[nodiscard]] Record without_samples(Record record);
// A run of such records of all families; one does not say how many samples it stands for.
[[nodiscard]] Run imported_run(std::uint64_t seed);
// Constant times, `count` of each series.
[[nodiscard]] Record groups(std::size_t count);
[[nodiscard]] Record overlap(std::size_t count);

}  // namespace stepmark::synthetic
