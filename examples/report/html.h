// The report as one self-contained page: no file, font, script or style from anywhere else.
#pragma once

#include <span>
#include <string>

#include "examples/report/report.h"
#include "examples/report/summary.h"

namespace drape {

/// report.html: tables, charts and explanations of all sections. Everything it shows is escaped.
std::string html_report(std::span<const Section> sections, const ReportOptions& options);

}  // namespace drape
