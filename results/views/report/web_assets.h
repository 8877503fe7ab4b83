// SPDX-License-Identifier: Apache-2.0
// The web files of the report page, embedded at build time (results/CMakeLists.txt).
#pragma once

#include <string_view>

namespace stepmark {

extern const std::string_view kWeb_page_html;  // skeleton with {{css}}, {{data}}, {{scripts}}
extern const std::string_view kWeb_page_css;
extern const std::string_view kWeb_page_js;
extern const std::string_view kWeb_lazy_js;
extern const std::string_view kWeb_series_js;
extern const std::string_view kWeb_split_js;
extern const std::string_view kWeb_scaling_js;
extern const std::string_view kWeb_history_js;
extern const std::string_view kWeb_environment_js;
extern const std::string_view kWeb_beside_js;
extern const std::string_view kWeb_decision_js;
extern const std::string_view kWeb_terms_js;
extern const std::string_view kWeb_allocation_js;
extern const std::string_view kWeb_mix_analysis_js;
extern const std::string_view kWeb_portfolio_js;
extern const std::string_view kWeb_even_chart_js;
extern const std::string_view kWeb_break_even_js;
extern const std::string_view kWeb_licences_txt;  // of embedded libraries that do not carry theirs
extern const std::string_view kWeb_yalps_js;      // YALPS, minified
extern const std::string_view kWeb_charts_js;
extern const std::string_view kWeb_echarts_js;  // Apache ECharts, minified, licence text included

}  // namespace stepmark
