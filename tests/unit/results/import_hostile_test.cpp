// SPDX-License-Identifier: Apache-2.0
// Samples of all formats, changed at random from fixed seeds and read as every format: only Error
// may come out, every figure is finite, and no record has an interval.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

#include "core/error.h"
#include "import_sample.h"

namespace stepmark {
namespace {

constexpr std::array kSamples{"nccl-tests-2.17-all_reduce.log",
                              "nccl-tests-2.8-all_gather.log",
                              "nccl-tests-several.log",
                              "nccl-tests-singletons.log",
                              "nccl-tests-v3.json",
                              "osu-collectives.txt",
                              "osu-pairs.txt",
                              "google-benchmark.json",
                              "nvbandwidth.txt",
                              "nvbandwidth.json",
                              "nvcre.json"};
constexpr std::array kPieces{
    "nan",  "inf",      "1e999", "-1", "0",     "9223372036854775807",
    "1e-5", "\n",       "\"",    "{",  "[",     "}",
    "]",    "\xff\xfe", " ",     ",",  "1e308", "# OSU MPI Reduce Latency Test v1\n"};

// A number replaced, a piece inserted, a range dropped or doubled.
std::string mutated(std::string text, std::mt19937& random) {
  const auto draw = [&](std::size_t bound) { return bound == 0 ? 0 : random() % bound; };
  for (std::size_t change = 0; change <= draw(4); ++change) {
    const std::size_t at = draw(text.size());
    const std::string piece = kPieces.at(draw(kPieces.size()));
    switch (draw(4)) {
      case 0: {
        const std::size_t begin = std::min(text.find_first_of("0123456789", at), text.size());
        const std::size_t end =
            std::min(text.find_first_not_of("0123456789.e+", begin), text.size());
        text.replace(begin, end - begin, piece);
        break;
      }
      case 1:
        text.insert(at, piece);
        break;
      case 2:
        text.erase(at, draw(80));
        break;
      default:
        text.insert(at, text.substr(at, draw(400)));
    }
  }
  return text;
}

void require_figures(const Import& run) {
  for (const Record& record : run.records) {
    EXPECT_EQ(record.provenance, Provenance::imported);
    for (const Metric& metric : record.metrics) {
      EXPECT_TRUE(!metric.value || (std::isfinite(*metric.value) && *metric.value >= 0));
      EXPECT_FALSE(metric.lower || metric.upper);
    }
    if (record.outcome == Outcome::ok) {
      EXPECT_GT(record.summary("time_s")->median, 0);
    }
  }
}

TEST(ImportHostile, NothingButErrorsAndFiniteFigures) {
  int read = 0;
  std::vector<std::string> formats = import_formats();
  formats.emplace_back();
  for (const char* const name : kSamples) {
    std::mt19937 random(7);
    const ImportSource source = sample(name);
    for (int round = 0; round < 60; ++round) {
      const std::vector<ImportSource> changed{{source.path, mutated(source.content, random)}};
      for (const std::string& format : formats) {
        try {
          const Import run =
              import_files(changed, {.format = format, .ranks = format == "osu" ? 4 : 0});
          require_figures(run);
          EXPECT_EQ(read_back(run).header.cases.size(), run.header.cases.size());
          ++read;
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
        }
      }
    }
  }
  EXPECT_GT(read, 300);
}

}  // namespace
}  // namespace stepmark
