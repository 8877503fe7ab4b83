// SPDX-License-Identifier: Apache-2.0
// Figures that others published, as results/published keeps them: YAML of sets, each of one system,
// with its source and what that does not say. Sizes are those of nccl-tests, bandwidths bus
// bandwidths; a time that is not given follows from them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "core/metrics.h"
#include "core/units.h"
#include "core/yaml.h"
#include "results/families/derive.h"
#include "results/families/step.h"
#include "results/import/collective_record.h"
#include "results/import/importer.h"
#include "results/import/kernel_record.h"
#include "results/import/names.h"
#include "results/import/published.h"
#include "results/import/source_facts.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTera = 1e12;
constexpr std::int64_t kMostGpus = 1'000'000;
constexpr const char* kTool = "published figures";

using Texts = std::vector<std::pair<std::string, std::string>>;

// What all figures of a set share.
struct PublishedSet {
  std::string name;
  std::int64_t gpus = 0;  // 0: each figure says
  Texts texts;
};

PublishedSet read_set(YamlMap& map) {
  PublishedSet set{.name = map.required_string("name"),
                   .gpus = map.optional_int("gpus", 0, {.min = 1, .max = kMostGpus})};
  set.texts = {{facts::published::kSet, set.name},
               {facts::published::kSystem, map.required_string("system")},
               {facts::published::kGpu, map.required_string("gpu")},
               {facts::published::kSource, map.required_string("source")}};
  if (const auto nodes = map.optional_int("nodes", 0, {.min = 1, .max = kMostGpus}); nodes > 0)
    set.texts.emplace_back(facts::published::kNodes, std::to_string(nodes));
  for (const auto& [key, name] : {std::pair{"date", facts::published::kDate},
                                  {"what", facts::published::kWhat},
                                  {"nccl", facts::published::kNccl},
                                  {"notes", facts::published::kNotes}}) {
    const std::string text = map.optional_string(key, "");
    if (!text.empty()) set.texts.emplace_back(name, text);
  }
  set.texts.emplace_back(facts::source::kUnknown,
                         fmt::format("{}", fmt::join(map.optional_strings("not_stated"), ", ")));
  return set;
}

class PublishedFile {
 public:
  PublishedFile(const ImportSource& source, ImportedFile& out) : source_(source), out_(out) {}

  void take(YamlMap map) {
    set_ = read_set(map);
    for (YamlMap& one : map.optional_maps("collectives")) take_collective(one);
    for (YamlMap& one : map.optional_maps("steps")) take_step(one);
    for (YamlMap& one : map.optional_maps("kernels")) take_kernel(one);
    map.finish();
  }

 private:
  void take_collective(YamlMap& map) {
    const std::string name = map.required_string("collective");
    ToldCollective told{.collective = collective_name(name),
                        .dtype = map.optional_string("dtype", "unknown"),
                        .placement = map.optional_string("placement", ""),
                        .mode = "back-to-back",
                        .id_end = "/" + set_.name,
                        .ranks = static_cast<int>(set_.gpus),
                        .line = map.place("collective").line};
    if (told.collective.empty()) {
      map.fail("collective",
               fmt::format("'{}' is no collective: expected {}", name, known_collectives()));
    }
    if (set_.gpus == 0) map.fail("collective", "the set has no 'gpus', which bandwidths depend on");
    if (reduces(told.collective)) told.op = "sum";
    told.texts = set_.texts;
    const std::string algorithm = map.optional_string("algorithm", "");
    if (!algorithm.empty()) {
      told.texts.emplace_back(facts::kAlgorithm, algorithm);
      told.id_end += "/" + algorithm;
    }
    const auto points = map.optional_strings("points");
    if (points.empty()) map.fail("points", "no points: expected a list such as [16GiB 480 GB/s]");
    for (const std::string& point : points) add_point(map, told, point);
    map.finish();
  }

  // "16GiB 487.87 GB/s", a bus bandwidth, or "16GiB 4110 us".
  void add_point(const YamlMap& map, ToldCollective told, const std::string& point) {
    const auto words = words_of(point);
    const auto number = words.size() == 3 ? printed_number(words[1]) : std::nullopt;
    const bool is_time = words.size() == 3 && words[2] == "us";
    if (!number || !(number->value > 0) || !(is_time || words[2] == "GB/s")) {
      map.fail("points", fmt::format("'{}': expected SIZE TIME us or SIZE BUSBW GB/s", point));
    }
    told.size_bytes = parse_bytes(words[0]);
    if (told.size_bytes <= 0) map.fail("points", fmt::format("'{}': a size of 0", point));
    if (is_time) {
      told.time_s = scaled(*number, 1e-6);
      told.told_time = "as published";
    } else {
      const auto kind = find_collective(told.collective);
      const double bytes =
          static_cast<double>(told.size_bytes) * (kind ? bus_factor(*kind, told.ranks) : 1.0);
      if (!(bytes > 0)) map.fail("points", "a bus bandwidth of one GPU");
      const double time = bytes / (number->value * kGB);
      told.time_s =
          PrintedNumber{.value = time, .half_unit = time * number->half_unit / number->value};
      told.busbw = *number;
      told.told_time = "from the published bus bandwidth";
    }
    add(collective_record(source_, kTool, told));
  }

  void take_step(YamlMap& map) {
    const std::string model = map.required_string("model");
    const auto gpus = map.optional_int("gpus", set_.gpus, {.min = 1, .max = kMostGpus});
    const auto sequence = map.optional_int("sequence", 0, {.min = 1, .max = 1LL << 30});
    const auto batch = map.optional_int("global_batch", 0, {.min = 1, .max = 1LL << 30});
    const std::string plan = map.optional_string("plan", "");
    const std::string precision = map.optional_string("precision", "");
    const std::string time_from = map.optional_string("time_from", "as published");
    const double time = map.required_double("time_s", {.min = 1e-6, .max = 1e6});
    const auto samples = map.optional_int("samples", 0, {.min = 1, .max = 1LL << 40});
    std::string id = fmt::format("step/{}/gpus{}", model, gpus);
    for (const std::string& part : {plan, precision, set_.name}) {
      if (!part.empty()) id += "/" + part;
    }
    Record record{.case_id = id, .family = facts::step::kFamily};
    record.texts = {{facts::kTitle, fmt::format("{} on {} GPUs", model, gpus)},
                    {facts::step::kWorkload, model},
                    {facts::step::kPlan, plan},
                    {facts::step::kPrecision, precision},
                    {facts::step::kPeakUnknown, "published figures do not say at which power"},
                    {facts::source::kToldTime, time_from}};
    record.texts.insert(record.texts.end(), set_.texts.begin(), set_.texts.end());
    if (map.has("recompute"))
      record.texts.emplace_back("recompute", map.required_string("recompute"));
    record.numbers = {{facts::step::kGpus, gpus}, {facts::kRanks, gpus}};
    if (sequence > 0 && batch > 0) {
      record.numbers.emplace_back(facts::step::kTokensPerStep,
                                  static_cast<double>(sequence) * static_cast<double>(batch));
    }
    for (const char* told : {"told_tflops_per_gpu", "told_goodput"}) {
      if (map.has(told)) record.numbers.emplace_back(told, map.required_double(told, {.min = 0}));
    }
    add_source(record, source_, kTool, map.place("model").line);
    record.labels.push_back("time: " + time_from);
    set_time(record, samples, time, kNaN, kNaN);
    derive(record);
    map.finish();
    add(std::move(record));
  }

  void take_kernel(YamlMap& map) {
    ToldKernel told{.op = map.required_string("op"),
                    .shape = map.required_string("shape"),
                    .told_time = "from the published rate",
                    .line = map.place("op").line};
    const std::string dtype = map.optional_string("dtype", "unknown");
    told.flops = map.required_double("flops", {.min = 1, .max = 1e24});
    told.time_s =
        *told.flops / (map.required_double("tflops_per_s", {.min = 1e-6, .max = 1e6}) * kTera);
    map.finish();
    told.id = fmt::format("{}/{}/{}/{}", told.op, told.shape, dtype, set_.name);
    Record record = kernel_record(source_, kTool, told);
    record.texts.emplace_back(facts::kDtype, dtype);
    record.texts.insert(record.texts.end(), set_.texts.begin(), set_.texts.end());
    add(std::move(record));
  }

  // Figures of one configuration that were published twice, of two releases for instance, are no
  // repetitions of one run.
  void add(Record record) {
    const std::string id = record.case_id;
    for (int n = 2; !ids_.insert(record.case_id).second; ++n) {
      record.case_id = fmt::format("{}/{}", id, n);
    }
    out_.records.push_back(std::move(record));
  }

  const ImportSource& source_;
  ImportedFile& out_;
  PublishedSet set_;
  std::set<std::string> ids_;
};

bool recognises(std::string_view content) {
  return content.starts_with("published:") ||
         content.find("\npublished:") != std::string_view::npos;
}

ImportedFile read(const ImportSource& source, const ImportOptions&) {
  ImportedFile out{.tool = kTool};
  const YamlDocument document = YamlDocument::read_text(source.content, source.path);
  YamlMap map = document.map();
  out.environment.push_back({"source", "published", map.required_string("published"), false});
  PublishedFile file(source, out);
  for (YamlMap& set : map.optional_maps("sets")) file.take(std::move(set));
  map.finish();
  return out;
}

}  // namespace

Importer importer_published() {
  return {.name = "published",
          .expects = "a file of published figures, such as those of results/published",
          .recognises = recognises,
          .read = read};
}

}  // namespace stepmark
