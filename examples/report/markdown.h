// The report as Markdown: the same tables and sentences as the page, without its charts.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "examples/report/report.h"
#include "examples/report/summary.h"

namespace drape {

/// report.md.
std::string markdown_report(std::span<const Section> sections, const ReportOptions& options);

/// The text as one line that Markdown shows as it is: special characters escaped, line breaks as
/// spaces.
std::string escape_markdown(std::string_view text);

}  // namespace drape
