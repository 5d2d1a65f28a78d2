// The comparison report of several training runs: report.md, report.json and report.html.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "examples/pictures.h"
#include "examples/run_result.h"

namespace drape {

/// What the reader should know besides the runs. Empty: left out.
struct ReportOptions {
  std::string command = {};                   // the command line that made the runs
  std::string machine = {};                   // "AMD EPYC 9554, 16 cores, 128 GiB"
  std::vector<std::string> class_names = {};  // of the confusion matrices; empty: numbers
  Pictures pictures = {};                     // of the networks themselves
  std::vector<std::string> absent = {};       // runs that ended without a result, and why
};

/// Writes report.md, report.json and report.html (one self-contained page) into the folder, which
/// is created if missing; each file is replaced atomically. Runs of different protocols or devices,
/// and synthetic ones, get sections of their own; published numbers never stand beside synthetic
/// ones. Error for no runs, an invalid or repeated run, or class names that do not match the
/// matrices.
void write_report(std::span<const RunResult> runs, const std::filesystem::path& folder,
                  const ReportOptions& options = {});

}  // namespace drape
