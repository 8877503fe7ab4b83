// SPDX-License-Identifier: Apache-2.0
// A template with marks, embedded scripts, and the data as JSON in a script element, in which "<"
// is escaped so that no text of a journal can end it.
#include "results/views/report/report.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/output.h"
#include "results/record/json_text.h"
#include "results/views/format/format.h"
#include "results/views/report/report_data.h"
#include "results/views/report/web_assets.h"

namespace stepmark {

namespace {

// JSON inside a script element: "<" must not appear, or a journal's text could close the element.
// Everything outside ASCII is escaped too, so that the page does not depend on its encoding.
std::string script_safe(const nlohmann::json& json) {
  const auto text = json_text(json, {.ascii_only = true});
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

// Page = template with its three marks replaced, in order; inserted text is never searched.
std::string fill(std::string_view page, std::string_view css, std::string_view data,
                 std::string_view scripts) {
  std::string out;
  const auto insert = [&](std::string_view mark, std::string_view text) {
    const auto place = page.find(mark);
    STEPMARK_CHECK(place != std::string_view::npos, "the page template has no {}", mark);
    out += page.substr(0, place);
    out += text;
    page.remove_prefix(place + mark.size());
  };
  insert("{{css}}", css);
  insert("{{data}}", data);
  insert("{{scripts}}", scripts);
  out += page;
  return out;
}

void add(std::string& scripts, std::string_view script) {
  scripts += "<script>\n";
  scripts += script;
  scripts += "\n</script>\n";
}

// Only a page of providers solves mixes.
void add_decision(std::string& scripts) {
  scripts += "<!--\n";
  scripts += kWeb_licences_txt;
  scripts += "-->\n";
  for (const auto script :
       {kWeb_yalps_js, kWeb_terms_js, kWeb_allocation_js, kWeb_mix_analysis_js, kWeb_portfolio_js,
        kWeb_even_chart_js, kWeb_break_even_js, kWeb_decision_js}) {
    add(scripts, script);
  }
}

}  // namespace

std::string report_html(std::span<const Run> runs) { return report_html(runs, PageParts{}); }

std::string report_html(std::span<const Run> runs, const PageParts& parts) {
  STEPMARK_REQUIRE(!runs.empty(), "a report needs at least one run");
  const nlohmann::json data = report_data(runs, parts);
  std::string scripts;
  for (const auto script :
       {kWeb_echarts_js, kWeb_charts_js, kWeb_lazy_js, kWeb_series_js, kWeb_beside_js,
        kWeb_split_js, kWeb_scaling_js, kWeb_history_js, kWeb_environment_js}) {
    add(scripts, script);
  }
  if (!parts.across.is_null()) add_decision(scripts);
  add(scripts, kWeb_page_js);
  return fill(kWeb_page_html, kWeb_page_css, script_safe(data), scripts);
}

void write_report(std::span<const Run> runs, const std::string& path) {
  write_output_file(path, report_html(runs));
}

FileFormat format_report() {
  return {.option = "html",
          .help = "Write one self-contained page",
          .title = "report",
          .text = [](std::span<const Run> runs) { return report_html(runs); }};
}

}  // namespace stepmark
