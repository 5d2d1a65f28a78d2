// The report's pictures: where deformable layers look, filters, mixed images, mistakes.
#pragma once

#include "examples/report/markup.h"
#include "examples/report/report.h"
#include "examples/report/summary.h"

namespace drape {

/// What options.pictures holds of the section's runs; a sentence in the place of images that are
/// missing.
void draw_galleries(Markup& page, const Section& section, const ReportOptions& options);

}  // namespace drape
