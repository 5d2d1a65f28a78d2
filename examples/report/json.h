// The report for programs: every number of the tables and charts, unrounded, and the runs behind
// them.
#pragma once

#include <span>
#include <string>

#include "examples/report/report.h"
#include "examples/report/summary.h"

namespace drape {

/// report.json: {"title", "command", "machine", "commits", "class_names", "sections": [{"protocol",
/// "device", "precision", "synthetic", "systems": [...]}], "runs": [...]}. A statistic is {"count",
/// "mean", "deviation", "min", "max"}; null without values.
std::string json_report(std::span<const Section> sections, std::span<const RunResult> runs,
                        const ReportOptions& options);

}  // namespace drape
