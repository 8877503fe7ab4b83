// SPDX-License-Identifier: Apache-2.0
#include "synthetic.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>

#include "core/units.h"
#include "results/families/derive.h"
#include "results/record/chain.h"
#include "results/record/journal_lines.h"
#include "results/record/summary.h"

namespace stepmark::synthetic {

double Noise::uniform() { return (static_cast<double>(bits_() >> 11U) + 0.5) * 0x1.0p-53; }

double Noise::normal() {
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::vector<double> times(const TimesSpec& spec, Noise& noise) {
  std::vector<double> out;
  double state = noise.normal();
  for (int i = 0; i < spec.count; ++i) {
    out.push_back(spec.median_s * std::exp(spec.noise * state));
    state = spec.correlation * state +
            std::sqrt(1 - spec.correlation * spec.correlation) * noise.normal();
  }
  return out;
}

Record collective(std::string_view kind, std::int64_t size_bytes, std::string_view placement,
                  std::vector<double> times) {
  Record out{.case_id = fmt::format("collective/{}/fp32/sum/{}/{}/world4", kind,
                                    size_bytes >= kMiB ? fmt::format("{}MiB", size_bytes / kMiB)
                                                       : fmt::format("{}KiB", size_bytes / kKiB),
                                    placement),
             .family = "collective"};
  out.numbers = {{"size_bytes", static_cast<double>(size_bytes)}, {"ranks", 4}};
  out.texts = {{"collective", std::string(kind)},
               {"dtype", "fp32"},
               {"op", "sum"},
               {"placement", std::string(placement)}};
  out.series = {{.name = "time_s", .unit = "s", .values = std::move(times)}};
  out.checks = {{"all elements exact", true, "0 wrong"}};
  out.started_unix_s = 1790000000;
  out.wall_s = 0.5;
  derive(out);
  return out;
}

Record kernel(std::string_view name, double flops, double bytes, std::vector<double> times) {
  Record out{.case_id = fmt::format("kernel/{}/fp32", name), .family = "kernel"};
  out.numbers = {{"flops", flops}, {"bytes", bytes}, {"peak_gflops", 235}, {"copy_gbps", 21}};
  out.texts = {{"dtype", "fp32"}, {"op", std::string(name)}, {"title", std::string(name)}};
  out.series = {{.name = "time_s", .unit = "s", .values = std::move(times)}};
  out.checks = {{"against reference", true, "max relative error 3.1e-7 (limit 1e-5)"}};
  out.started_unix_s = 1790000010;
  out.wall_s = 0.7;
  derive(out);
  return out;
}

namespace {

void add_timeline(Record& record, double step_s) {
  constexpr std::array<std::string_view, 3> kPhases = {"forward", "backward", "optimizer"};
  for (int rank = 0; rank < 4; ++rank) {
    double now = 0.01 * rank * step_s;
    for (std::size_t p = 0; p < kPhases.size(); ++p) {
      const int layers = p == 2 ? 1 : 6;
      const double op_s = step_s * (p == 0 ? 0.045 : p == 1 ? 0.09 : 0.1);
      for (int layer = 0; layer < layers; ++layer) {
        record.timeline.push_back({.rank = rank,
                                   .stream = "compute",
                                   .label = fmt::format("layer{}.{}", layer, kPhases[p]),
                                   .phase = std::string(kPhases[p]),
                                   .begin_s = now,
                                   .end_s = now + op_s});
        if (p == 1) {
          record.timeline.push_back({.rank = rank,
                                     .stream = "dp",
                                     .label = fmt::format("bucket{} all_reduce", layer),
                                     .phase = "gradient_sync",
                                     .begin_s = now + op_s,
                                     .end_s = now + 1.7 * op_s});
        }
        now += op_s;
      }
    }
  }
}

}  // namespace

Record step(std::string_view workload, std::vector<double> times, bool timeline) {
  Record out{.case_id = fmt::format("step/{}/dp2.tp2", workload), .family = "step"};
  out.numbers = {{"tokens_per_step", 2048},
                 {"gpus", 4},
                 {"ranks", 4},
                 {"model_flops_per_step", 1.6e9},
                 {"model_flops_causal_per_step", 1.2e9},
                 {"hardware_flops_per_step", 2e9},
                 {"peak_flops_per_s", 60e9}};
  out.texts = {{"workload", std::string(workload)},
               {"plan", "dp=2 tp=2"},
               {"title", fmt::format("{} dp=2 tp=2", workload)}};
  out.series = {{.name = "time_s", .unit = "s", .values = std::move(times)}};
  out.checks = {{"loss vs one rank", true, "relative error 2e-7 (limit 1e-5)"}};
  out.started_unix_s = 1790000020;
  out.wall_s = 4;
  derive(out);
  const double step_s = out.summaries.front().median;
  out.split = {{"compute", 0.70 * step_s},    {"exposed tp", 0.12 * step_s},
               {"exposed dp", 0.05 * step_s}, {"optimizer", 0.08 * step_s},
               {"wait", 0.04 * step_s},       {"overhead", 0.01 * step_s}};
  if (timeline) {
    add_timeline(out, step_s);
  }
  return out;
}

namespace {

Series constant(const char* name, std::size_t count, double seconds) {
  return {.name = name, .unit = "s", .values = std::vector<double>(count, seconds)};
}

}  // namespace

Record groups(std::size_t count) {
  Record out{.case_id = "groups/tp2.dp2/tp.all_reduce+dp.reduce_scatter/bf16", .family = "groups"};
  out.numbers = {{"ranks", 4},    {"tp_ranks", 2},        {"dp_ranks", 2},       {"tp_calls", 4},
                 {"dp_calls", 2}, {"tp_size_bytes", 1e6}, {"dp_size_bytes", 8e6}};
  out.texts = {{"axes", "tp,dp"},
               {"tp_op", "all_reduce"},
               {"dp_op", "reduce_scatter"},
               {"title", "tp=2 dp=2 bf16"}};
  out.series = {constant("time_s", count, 5e-3), constant("tp_together_s", count, 3e-3),
                constant("dp_together_s", count, 5e-3), constant("tp_alone_s", count, 2e-3),
                constant("dp_alone_s", count, 4e-3)};
  out.checks = {{"tp: every element exact", true, "all 2 elements exact"}};
  derive(out);
  return out;
}

Record overlap(std::size_t count) {
  Record out{.case_id = "overlap/all_reduce/10MB/world4", .family = "overlap"};
  out.numbers = {
      {"ranks", 4}, {"flops", 1e9}, {"gemm_calls", 5}, {"comm_calls", 1}, {"size_bytes", 10e6}};
  out.texts = {{"collective", "all_reduce"},
               {"gemm_title", "bf16 512x512x512"},
               {"title", "all_reduce 10 MB 4 CTAs high"}};
  out.series = {constant("time_s", count, 4e-3), constant("compute_alone_s", count, 3e-3),
                constant("comm_alone_s", count, 2e-3),
                constant("compute_together_s", count, 3.6e-3),
                constant("comm_together_s", count, 4e-3)};
  out.checks = {{"every element exact", true, "all 2 elements exact"}};
  derive(out);
  return out;
}

namespace {

constexpr const char* kHostile =
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "\"'`${7*7},\r\n\x1b[31m\xe2\x80\xa8 caf\xc3\xa9";

class Builder {
 public:
  explicit Builder(const RunSpec& spec) : spec_(spec), noise_(spec.seed) {
    out_.path = spec.name + ".smk";
    out_.header = header(spec);
    out_.ended = true;
    out_.exit_code = 0;
  }

  Run build() {
    if (spec_.collectives) {
      collectives();
    }
    if (spec_.kernels) {
      kernels();
    }
    if (spec_.steps) {
      add(step("tiny", draw(0.035), spec_.timeline));
      add(step("gpt2-124m-slice", draw(0.41), false));
    }
    skipped();
    for (const auto& record : out_.records) {
      out_.header.cases.push_back(record.case_id);
    }
    out_.header.cases.emplace_back("step/llama3-8b-slice/dp2.tp2");
    return std::move(out_);
  }

 private:
  std::vector<double> draw(double median_s) {
    const double shift = std::exp(spec_.between_run_sd * noise_.normal());
    return times({.median_s = median_s * spec_.slowdown * shift,
                  .count = spec_.count,
                  .noise = spec_.noise,
                  .correlation = spec_.correlation},
                 noise_);
  }

  void add(Record record) {
    if (spec_.nothing_measured) {
      record.outcome = Outcome::not_measured;
      record.reason = "budget of 0 s spent";
      record.series.clear();
      record.summaries.clear();
      record.metrics.clear();
      record.split.clear();
      record.timeline.clear();
      record.checks.clear();
    }
    if (spec_.hostile) {
      record.labels.emplace_back(kHostile);
      record.texts.emplace_back("note", kHostile);
      for (auto& span : record.timeline) {
        span.label += kHostile;
      }
    }
    out_.records.push_back(std::move(record));
  }

  void collectives() {
    for (const auto* kind : {"all_reduce", "all_gather", "reduce_scatter"}) {
      for (const auto* placement : {"out-of-place", "in-place"}) {
        for (std::int64_t size = 4 * kKiB; size <= 16 * kMiB; size *= 8) {
          const double median_s = 18e-6 + static_cast<double>(size) / 2.4e9;
          add(collective(kind, size, placement, draw(median_s)));
        }
      }
    }
  }

  void kernels() {
    add(kernel("gemm 512x768x768", 6.04e8, 7.1e6, draw(3.1e-3)));
    add(kernel("attention_fwd 4x12x64x64", 5.0e7, 3.1e6, draw(6.1e-4)));
    add(kernel("layernorm 256x768", 1.6e6, 1.57e6, draw(1.1e-4)));
    add(kernel("adamw 7M", 8.4e7, 1.96e8, draw(1.2e-2)));
  }

  void skipped() {
    Record out{.case_id = "collective/all_reduce/fp32/sum/1GiB/out-of-place/world4",
               .family = "collective",
               .outcome = Outcome::skipped,
               .reason = "needs 2 GiB per rank, 1.4 GiB are free"};
    if (spec_.hostile) {
      out.reason = kHostile;
      out.case_id += kHostile;
    }
    out_.records.push_back(std::move(out));
  }

  RunSpec spec_;
  Noise noise_;
  Run out_;
};

}  // namespace

Record without_samples(Record record) {
  record.provenance = Provenance::imported;
  for (Summary& summary : record.summaries) {
    summary = imported_summary(
        summary.series,
        {.count = summary.count, .median = summary.median, .min = summary.min, .max = summary.max});
  }
  record.series.clear();
  record.split.clear();
  record.timeline.clear();
  derive(record);
  return record;
}

Run imported_run(std::uint64_t seed) {
  Run out = run({.seed = seed, .name = "imported", .timeline = false});
  out.records.push_back(groups(20));
  out.records.push_back(overlap(20));
  for (Record& record : out.records) {
    if (record.outcome == Outcome::ok) record = without_samples(record);
  }
  Record& unknown = out.records.front();
  unknown.summaries.front() = imported_summary("time_s", {.count = 0,
                                                          .median = unknown.summaries[0].median,
                                                          .min = std::nan(""),
                                                          .max = std::nan("")});
  derive(unknown);
  out.header.cases.clear();
  for (const Record& record : out.records) out.header.cases.push_back(record.case_id);
  return out;
}

RunHeader header(const RunSpec& spec) {
  RunHeader h{.run_id = fmt::format("{}-{}", spec.name, spec.seed),
              .started = "2026-11-24T15:00:00Z",
              .tool_version = "0.1.0",
              .git_revision = "0123456789ab",
              .build_type = "Release",
              .command = {"stepmark", "run", "--suite", "quick"},
              .suite = "quick",
              .backend = "host",
              .ranks = 4};
  h.config = {{"suite", "quick"}, {"workload", {{"layers", 4}, {"hidden", 256}}}};
  h.environment.facts = {{"hardware", "cpu", "Example CPU 2.0 GHz"},
                         {"hardware", "cores", "2"},
                         {"hardware", "memory", "16 GiB"},
                         {"software", "kernel", "6.1.0"},
                         {"software", "mpi", "Open MPI 4.1.4"},
                         {"variables", "OMP_NUM_THREADS", "1"},
                         {"placement", "host", fmt::format("node{}", spec.seed), false}};
  if (spec.hostile) {
    h.run_id += kHostile;
    h.environment.facts.push_back({"software", "name", kHostile});
    h.command.emplace_back(kHostile);
  }
  return h;
}

Run run(const RunSpec& spec) { return Builder(spec).build(); }

void write(const Run& run, const std::string& path) {
  auto writer = JournalWriter::create(path, run.header);
  for (const auto& record : run.records) {
    writer.write(record);
  }
  writer.write_end(run.exit_code, "finished");
}

std::string chained(const std::vector<nlohmann::json>& lines) {
  std::string out;
  std::string hash;
  for (const auto& line : lines) {
    out += chained_line(compact(line), hash) + "\n";
  }
  return out;
}

std::string unchained(const std::vector<nlohmann::json>& lines) {
  std::string out;
  for (auto line : lines) {
    if (line.contains("schema_version")) {
      line["schema_version"] = 1;
    }
    out += compact(line) + "\n";
  }
  return out;
}

std::vector<nlohmann::json> lines_of(const Run& run) {
  std::vector<nlohmann::json> out = {header_json(run.header, "run")};
  for (const auto& record : run.records) {
    out.push_back(record_line_json(record));
  }
  out.push_back({{"type", "end"}, {"exit_code", run.exit_code}, {"reason", ""}});
  return out;
}

}  // namespace stepmark::synthetic
