// SPDX-License-Identifier: Apache-2.0
// NVIDIA Cluster Readiness Engine: the report that nvcrectl writes with --results-file, one object
// or an array of them. Its bandwidths are means over the rows that its log reader saw; types,
// placement and ranks are not in it. Ranks follow from the two bandwidths where their digits tell
// one number.
#include <fmt/format.h>

#include <algorithm>

#include "results/families/derive.h"
#include "results/families/step.h"
#include "results/import/collective_record.h"
#include "results/import/importer.h"
#include "results/import/json_source.h"
#include "results/import/names.h"
#include "results/import/source_facts.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

using nlohmann::json;

constexpr double kPercent = 100;

// "882.51 GB/s": a number and its unit.
std::optional<PrintedNumber> with_unit(const std::string& text, std::string_view unit) {
  const auto words = words_of(text);
  if (words.empty() || words.size() > 2 || (words.size() == 2 && words[1] != unit))
    return std::nullopt;
  std::string_view number = words[0];
  if (words.size() == 1 && number.ends_with(unit)) number.remove_suffix(unit.size());
  return printed_number(number);
}

// "16 GB": binary, as nccl-tests reads -e 16G, whose rows it is.
std::optional<std::int64_t> size_of_text(const std::string& text) {
  const auto words = words_of(text);
  if (words.size() != 2) return std::nullopt;
  const auto number = printed_number(words[0]);
  double unit = 0;
  for (const auto& [name, bytes] :
       {std::pair{"B", 1.0}, {"KB", 0x1p10}, {"MB", 0x1p20}, {"GB", 0x1p30}, {"TB", 0x1p40}}) {
    if (words[1] == name) unit = bytes;
  }
  if (!number || unit == 0 || !(number->value * unit < 0x1p60)) return std::nullopt;
  return static_cast<std::int64_t>(number->value * unit);
}

// A mean of what nccl-tests had rounded, rounded again.
std::optional<PrintedNumber> bandwidth(const json& told, const char* key) {
  auto number = with_unit(JsonSource::text(told, key), "GB/s");
  if (number) number->half_unit *= 2;
  return number;
}

class Report {
 public:
  Report(const ImportSource& source, const ImportOptions& options, const JsonSource& file,
         ImportedFile& out)
      : source_(source), options_(options), file_(file), out_(out) {}

  void take(const json& report, const std::string& place) {
    const json* categories = JsonSource::find(report, "categories");
    if (categories == nullptr || !categories->is_array()) {
      refuse_import(source_, file_.line(place),
                    "no list 'categories': expected what nvcrectl certification report "
                    "--results-file writes");
    }
    for (const auto& [key, section, name] : {std::tuple{"platform", "hardware", "platform"},
                                             {"gpu", "hardware", "accelerators"},
                                             {"name", "source", "certification"}}) {
      const std::string value = JsonSource::text(report, key);
      if (!value.empty())
        out_.environment.push_back({section, name, value, std::string_view(section) == "hardware"});
    }
    const std::string result = JsonSource::text(report, "result");
    if (result == "RUNNING" || result == "INCOMPLETE") {
      out_.cut = true;
      out_.remarks.push_back(
          fmt::format("line {}: the certification is {}", file_.line(place), result));
    }
    total_nodes_ = JsonSource::whole(report, "totalNodes").value_or(0);
    for (std::size_t i = 0; i < categories->size(); ++i) {
      take_category((*categories)[i], fmt::format("{}/categories/{}", place, i));
    }
  }

 private:
  void take_category(const json& category, const std::string& place) {
    const int line = file_.line(place);
    variant_ = JsonSource::text(category, "variant");
    nodes_ = JsonSource::whole(category, "nodesPerJob").value_or(total_nodes_);
    labels_.clear();
    texts_.clear();
    const std::string status = JsonSource::text(category, "status");
    if (status != "Succeeded") labels_.push_back(fmt::format("the category is '{}'", status));
    const std::string mnnvl = JsonSource::text(category, "mnnvl");
    if (!mnnvl.empty()) texts_.emplace_back("mnnvl", mnnvl);
    const json* transports = JsonSource::find(category, "transport");
    std::string transport;
    if (transports != nullptr && transports->is_array()) {
      for (const json& one : *transports) {
        if (!one.is_string()) continue;
        if (!transport.empty()) transport += ", ";
        transport += one.get_ref<const std::string&>();
      }
    }
    if (!transport.empty()) texts_.emplace_back("transport", transport);
    std::string unknown = "type, placement, checks, samples' spread, clocks";
    if (transport.empty()) unknown += ", transport";
    texts_.emplace_back(facts::source::kUnknown, unknown);
    const std::size_t before = out_.records.size();
    take_bandwidths(category, place);
    take_domains(category, place);
    if (out_.records.size() > before) return;
    const std::string why = JsonSource::text(category, "failureReason");
    out_.remarks.push_back(fmt::format("line {}: {}/{} is '{}' and has no figures{}{}", line,
                                       JsonSource::text(category, "domain"), variant_, status,
                                       why.empty() ? "" : ": ", why));
  }

  void take_bandwidths(const json& category, const std::string& place) {
    const json* sizes = JsonSource::find(category, "bandwidth");
    if (sizes == nullptr || !sizes->is_array()) return;
    const std::string collective = collective_name(variant_);
    if (collective.empty()) {
      out_.remarks.push_back(
          fmt::format("line {}: '{}' is no collective that is known: its bandwidths are left out",
                      file_.line(place), variant_));
      return;
    }
    for (std::size_t i = 0; i < sizes->size(); ++i) {
      add_collective(collective, (*sizes)[i], file_.line(fmt::format("{}/bandwidth/{}", place, i)));
    }
  }

  void add_collective(const std::string& collective, const json& told_size, int line) {
    const auto size = size_of_text(JsonSource::text(told_size, "size"));
    if (!size || *size <= 0) {
      refuse_import(source_, line, "a size of {}: expected one such as '16 GB'",
                    JsonSource::shown(told_size, "size"));
    }
    ToldCollective told{.collective = collective,
                        .dtype = "unknown",
                        .op = reduces(collective) ? "sum" : "",
                        .mode = "back-to-back",
                        .told_time = "size over the mean algbw",
                        .size_bytes = *size,
                        .line = line,
                        .labels = labels_,
                        .texts = texts_};
    told.algbw = bandwidth(told_size, "algBW");
    told.busbw = bandwidth(told_size, "busBW");
    told.count = std::clamp<std::int64_t>(JsonSource::whole(told_size, "samples").value_or(0), 0,
                                          1'000'000'000);
    told.ranks = options_.ranks;
    if (told.ranks == 0 && told.algbw && told.busbw) {
      told.ranks = ranks_from_bandwidths(collective, *told.algbw, *told.busbw);
      told.labels.push_back(told.ranks > 0 ? "ranks follow from busBW over algBW"
                                           : "ranks not stated");
    }
    told.id_end = fmt::format("/nodes{}", nodes_);
    for (const auto& [name, value] : texts_) {
      if (name == "mnnvl") told.id_end += "/mnnvl-" + lower_case(value);
    }
    told.labels.emplace_back("not checked, or the file does not say");
    if (told.algbw && told.algbw->value > 0) {
      const double time = static_cast<double>(*size) / (told.algbw->value * 1e9);
      told.time_s = PrintedNumber{.value = time,
                                  .half_unit = time * told.algbw->half_unit / told.algbw->value};
    }
    told.no_time = fmt::format("line {}: algBW is {}, expected GB/s", line,
                               JsonSource::shown(told_size, "algBW"));
    out_.records.push_back(collective_record(source_, out_.tool, told));
  }

  void take_domains(const json& category, const std::string& place) {
    const json* domains = JsonSource::find(category, "domains");
    if (domains == nullptr || !domains->is_array()) return;
    for (std::size_t i = 0; i < domains->size(); ++i) {
      add_step((*domains)[i], file_.line(fmt::format("{}/domains/{}", place, i)));
    }
  }

  // A training run: its step's time, and what else was read from its log.
  void add_step(const json& domain, int line) {
    const std::string name = JsonSource::text(domain, "name");
    const auto nodes = JsonSource::whole(domain, "nodeCount").value_or(nodes_);
    const auto value = [&](const char* key, std::string_view unit) {
      const auto number = JsonSource::number(domain, key);
      return number ? number : with_unit(JsonSource::text(domain, key), unit);
    };
    Record record{.case_id = fmt::format("step/nvcre/{}/nodes{}{}{}", variant_, nodes,
                                         name.empty() ? "" : "/", name),
                  .family = facts::step::kFamily,
                  .labels = labels_};
    record.texts = {{facts::kTitle, fmt::format("{} on {} nodes", variant_, nodes)},
                    {facts::step::kWorkload, variant_},
                    {facts::step::kPeakUnknown, "the file does not say what the GPU could do"},
                    {facts::source::kToldTime,
                     "mean of the steps without warm-up, read from the training's log"}};
    record.texts.insert(record.texts.end(), texts_.begin(), texts_.end());
    if (const auto goodput = value("goodput", "%"); goodput) {
      const bool percent = JsonSource::text(domain, "goodput").ends_with('%');
      record.numbers.emplace_back("told_goodput",
                                  percent ? goodput->value / kPercent : goodput->value);
    }
    if (const auto tflops = value("tflops", "TFLOP/s"))
      record.numbers.emplace_back("told_tflops_per_gpu", tflops->value);
    record.labels.emplace_back("repeats not stated");
    add_source(record, source_, out_.tool, line);
    const auto time = value("stepTime", "s");
    if (!time || !(time->value > 0)) {
      set_not_measured(record, fmt::format("line {}: stepTime is {}, no positive number of seconds",
                                           line, JsonSource::shown(domain, "stepTime")));
    } else {
      const double none = std::numeric_limits<double>::quiet_NaN();
      record.labels.push_back("time: " + record.text(facts::source::kToldTime));
      set_time(record, 0, time->value, none, none);
      derive(record);
    }
    out_.records.push_back(std::move(record));
  }

  const ImportSource& source_;
  const ImportOptions& options_;
  const JsonSource& file_;
  ImportedFile& out_;
  std::string variant_;
  std::int64_t nodes_ = 0, total_nodes_ = 0;
  std::vector<std::string> labels_;
  std::vector<std::pair<std::string, std::string>> texts_;
};

bool recognises(std::string_view content) {
  const auto has = [&](std::string_view text) {
    return content.find(text) != std::string_view::npos;
  };
  return has("\"categories\"") && has("\"variant\"") && has("\"domain\"");
}

ImportedFile read(const ImportSource& source, const ImportOptions& options) {
  const JsonSource file(source);
  ImportedFile out{.tool = "NVCRE", .cut = file.cut()};
  if (out.cut) out.remarks.emplace_back("the file ends early: what is whole of it was read");
  Report report(source, options, file, out);
  const json& root = file.root();
  if (!root.is_array()) {
    report.take(root, "");
    return out;
  }
  for (std::size_t i = 0; i < root.size(); ++i) report.take(root[i], fmt::format("/{}", i));
  return out;
}

}  // namespace

Importer importer_nvcre() {
  return {.name = "nvcre",
          .expects = "the JSON of nvcrectl certification report --results-file",
          .recognises = recognises,
          .read = read};
}

}  // namespace stepmark
