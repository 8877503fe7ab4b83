// SPDX-License-Identifier: Apache-2.0
// The JSON form of a record; results/schema/record.schema.json says the same to other tools.
#include <cmath>
#include <limits>

#include "core/error.h"
#include "results/record/former_names.h"
#include "results/record/json_reader.h"
#include "results/record/record.h"

namespace stepmark {

namespace {

using nlohmann::json;

json optional_number(const std::optional<double>& value) {
  return value ? number_or_null(*value) : json(nullptr);
}

std::optional<double> to_optional(double value) {
  return std::isnan(value) ? std::nullopt : std::optional<double>(value);
}

json series_json(const Series& series) {
  auto values = json::array();
  for (const double value : series.values) {
    values.push_back(number_or_null(value));
  }
  return {{"name", series.name}, {"unit", series.unit}, {"values", std::move(values)}};
}

Series series_from(const json& j, const std::string& where) {
  JsonReader in(j, where);
  Series out{.name = in.text("name"), .unit = in.text("unit"), .values = in.numbers("values")};
  in.finish();
  return out;
}

json summary_json(const Summary& s) {
  return {{"series", s.series},
          {"count", s.count},
          {"steady_from", s.steady_from},
          {"effective_count", number_or_null(s.effective_count)},
          {"median", number_or_null(s.median)},
          {"lower", number_or_null(s.lower)},
          {"upper", number_or_null(s.upper)},
          {"mean", number_or_null(s.mean)},
          {"min", number_or_null(s.min)},
          {"max", number_or_null(s.max)},
          {"p95", number_or_null(s.p95)},
          {"p99", number_or_null(s.p99)},
          {"mad", number_or_null(s.mad)}};
}

Summary summary_from(const json& j, const std::string& where) {
  JsonReader in(j, where);
  Summary out{.series = in.text("series"),
              .count = in.integer("count"),
              .steady_from = in.integer("steady_from"),
              .effective_count = in.number("effective_count"),
              .median = in.number("median"),
              .lower = in.number("lower"),
              .upper = in.number("upper"),
              .mean = in.number("mean"),
              .min = in.number("min"),
              .max = in.number("max"),
              .p95 = in.number("p95"),
              .p99 = in.number("p99"),
              .mad = in.number("mad")};
  in.finish();
  return out;
}

json metric_json(const Metric& m) {
  return {{"name", m.name},
          {"unit", m.unit},
          {"value", optional_number(m.value)},
          {"lower", optional_number(m.lower)},
          {"upper", optional_number(m.upper)},
          {"note", m.note},
          {"higher_is_better", m.higher_is_better}};
}

Metric metric_from(const json& j, const std::string& where) {
  JsonReader in(j, where);
  Metric out{.name = std::string(name_today(in.text("name"))),
             .unit = in.text("unit"),
             .value = to_optional(in.number("value")),
             .lower = to_optional(in.number("lower")),
             .upper = to_optional(in.number("upper")),
             .note = in.text("note"),
             .higher_is_better = in.boolean("higher_is_better")};
  in.finish();
  return out;
}

TimePart part_from(const json& j, const std::string& where) {
  JsonReader in(j, where);
  TimePart out{.name = in.text("name"), .seconds = in.number("seconds")};
  in.finish();
  return out;
}

// A step has thousands of spans: an array each instead of an object keeps the line small.
json span_json(const TimelineSpan& s) {
  return json::array(
      {s.rank, s.stream, s.label, s.phase, number_or_null(s.begin_s), number_or_null(s.end_s)});
}

TimelineSpan span_from(const json& j, const std::string& where) {
  const bool shaped = j.is_array() && j.size() == 6 && j[0].is_number_integer() &&
                      j[1].is_string() && j[2].is_string() && j[3].is_string() &&
                      j[4].is_number() && j[5].is_number();
  STEPMARK_REQUIRE(shaped, "{}: expected [rank, stream, label, phase, begin_s, end_s]", where);
  const auto rank = j[0].get<std::int64_t>();
  STEPMARK_REQUIRE(rank >= 0 && rank <= std::numeric_limits<std::int32_t>::max(),
                   "{}: rank {} is out of range", where, rank);
  return {.rank = static_cast<std::int32_t>(rank),
          .stream = j[1].get<std::string>(),
          .label = j[2].get<std::string>(),
          .phase = j[3].get<std::string>(),
          .begin_s = j[4].get<double>(),
          .end_s = j[5].get<double>()};
}

Check check_from(const json& j, const std::string& where) {
  JsonReader in(j, where);
  Check out{.name = in.text("name"), .passed = in.boolean("passed"), .detail = in.text("detail")};
  in.finish();
  return out;
}

template <class T, class ToJson>
json list_json(const std::vector<T>& list, ToJson one) {
  auto out = json::array();
  for (const auto& item : list) {
    out.push_back(one(item));
  }
  return out;
}

template <class T, class FromJson>
std::vector<T> list_from(JsonReader& in, std::string_view key, FromJson one) {
  std::vector<T> out;
  for (const auto& item : in.array(key)) {
    out.push_back(one(item, fmt::format("{}[{}]", in.place(key), out.size())));
  }
  return out;
}

// Names are the interface between the writer and the reader of a file.
template <class Enum>
Enum enum_from(JsonReader& in, std::string_view key, std::initializer_list<Enum> values) {
  const auto name = in.text(key);
  std::string all;
  for (const Enum value : values) {
    if (name_of(value) == name) {
      return value;
    }
    all += fmt::format("{}{}", all.empty() ? "" : " | ", name_of(value));
  }
  in.fail(key, all);
}

}  // namespace

json to_json(const Record& r) {
  auto numbers = json::object();
  for (const auto& [name, value] : r.numbers) {
    numbers[name] = number_or_null(value);
  }
  auto texts = json::object();
  for (const auto& [name, value] : r.texts) {
    texts[name] = value;
  }
  json out = {
      {"case_id", r.case_id},
      {"family", r.family},
      {"provenance", name_of(r.provenance)},
      {"outcome", name_of(r.outcome)},
      {"reason", r.reason},
      {"perf_valid", r.perf_valid},
      {"labels", r.labels},
      {"numbers", std::move(numbers)},
      {"texts", std::move(texts)},
      {"series", list_json(r.series, series_json)},
      {"summaries", list_json(r.summaries, summary_json)},
      {"metrics", list_json(r.metrics, metric_json)},
      {"split", list_json(r.split,
                          [](const TimePart& p) {
                            return json{{"name", p.name}, {"seconds", number_or_null(p.seconds)}};
                          })},
      {"timeline", list_json(r.timeline, span_json)},
      {"checks",
       list_json(r.checks,
                 [](const Check& c) {
                   return json{{"name", c.name}, {"passed", c.passed}, {"detail", c.detail}};
                 })},
      {"started_unix_s", number_or_null(r.started_unix_s)},
      {"wall_s", number_or_null(r.wall_s)}};
  if (r.repetition != 1) {
    out["repetition"] = r.repetition;
  }
  return out;
}

Record record_from_json(const json& j) {
  JsonReader in(j, "record");
  Record r;
  r.case_id = in.text("case_id");
  if (r.case_id.empty()) {
    in.fail("case_id", "a name");
  }
  r.family = in.text("family");
  r.provenance = enum_from<Provenance>(
      in, "provenance",
      {Provenance::measured, Provenance::simulated, Provenance::projected, Provenance::imported});
  r.outcome = enum_from<Outcome>(
      in, "outcome", {Outcome::ok, Outcome::skipped, Outcome::failed, Outcome::not_measured});
  r.reason = in.text("reason");
  r.perf_valid = in.boolean("perf_valid");
  r.labels = in.texts("labels");
  const auto& numbers = in.object("numbers");
  JsonReader number_reader(numbers, in.place("numbers"));
  for (const auto& [name, value] : numbers.items()) {
    r.numbers.emplace_back(name, number_reader.number(name));
  }
  const auto& texts = in.object("texts");
  JsonReader text_reader(texts, in.place("texts"));
  for (const auto& [name, value] : texts.items()) {
    r.texts.emplace_back(name_today(name), text_reader.text(name));
  }
  r.series = list_from<Series>(in, "series", series_from);
  r.summaries = list_from<Summary>(in, "summaries", summary_from);
  r.metrics = list_from<Metric>(in, "metrics", metric_from);
  r.split = list_from<TimePart>(in, "split", part_from);
  r.timeline = list_from<TimelineSpan>(in, "timeline", span_from);
  r.checks = list_from<Check>(in, "checks", check_from);
  r.started_unix_s = in.number("started_unix_s");
  r.wall_s = in.number("wall_s");
  if (in.has("repetition")) {
    r.repetition = in.small_integer("repetition");
    STEPMARK_REQUIRE(r.repetition >= 1 && r.repetition <= kMaxRepetitions,
                     "record.repetition: found {}, expected 1 to {}", r.repetition,
                     kMaxRepetitions);
  }
  in.finish();
  return r;
}

}  // namespace stepmark
