#include "examples/report/report.h"

#include "core/check.h"
#include "core/file.h"
#include "examples/report/html.h"
#include "examples/report/json.h"
#include "examples/report/markdown.h"
#include "examples/report/summary.h"

namespace drape {

void write_report(std::span<const RunResult> runs, const std::filesystem::path& folder,
                  const ReportOptions& options) {
  const std::vector<Section> sections = summarize(runs);
  for (const RunResult& run : runs)
    DRAPE_CHECK(options.class_names.empty() || run.confusion.empty() ||
                    run.confusion.size() == options.class_names.size(),
                "report: expected {} class names for the confusion matrix of {}, got {}",
                run.confusion.size(), run.system, options.class_names.size());
  make_folder(folder);
  write_file_atomically(folder / "report.md", markdown_report(sections, options));
  write_file_atomically(folder / "report.json", json_report(sections, runs, options));
  write_file_atomically(folder / "report.html", html_report(sections, options));
}

}  // namespace drape
