// SPDX-License-Identifier: Apache-2.0
// The web files of the report page, embedded at build time (results/CMakeLists.txt).
#pragma once

#include <string_view>

namespace stepmark {

extern const std::string_view kWeb_page_html;  // skeleton with {{css}}, {{data}}, {{scripts}}
extern const std::string_view kWeb_page_css;
extern const std::string_view kWeb_page_js;
extern const std::string_view kWeb_beside_js;
extern const std::string_view kWeb_decision_js;
extern const std::string_view kWeb_charts_js;
extern const std::string_view kWeb_echarts_js;  // Apache ECharts, minified, licence text included

}  // namespace stepmark
