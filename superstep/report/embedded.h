// The files that a report carries inside itself; embed.cmake writes their bytes into the build.
#pragma once

#include <string_view>

namespace superstep::report::embedded {

extern const std::string_view page_css;
extern const std::string_view page_js;
// uPlot, the chart library; empty in a minimal build that did not find it.
extern const std::string_view uplot_js;
extern const std::string_view uplot_css;
extern const std::string_view uplot_licence;

}  // namespace superstep::report::embedded
