// The lengths of a deformable layer's offsets by epoch, as a heat map.
#include <fmt/format.h>

#include <cmath>

#include "examples/fraction.h"
#include "examples/report/charts.h"
#include "examples/report/text.h"

namespace drape {
namespace {

constexpr Box kBox{40, 34, 290, 232};
constexpr double kRow = (kBox.bottom - kBox.top) / (kOffsetBinEnds.size() + 1);
constexpr int kMostLabels = 8;  // of epochs

// Where a length lies between the ends of bins, which double: the first bin ends at 1.
double height_of(double length) {
  return kBox.bottom - kRow * (1.0 + std::log2(length / kOffsetBinEnds.front()));
}

std::string bin_phrase(std::size_t bin) {
  if (bin == 0) return fmt::format("below {} pixel", kOffsetBinEnds[0]);
  if (bin == kOffsetBinEnds.size()) return fmt::format("{} pixels or more", kOffsetBinEnds.back());
  return fmt::format("{} to {} pixels", kOffsetBinEnds[bin - 1], kOffsetBinEnds[bin]);
}

void draw_column(Markup& svg, const OffsetHistogram& at, double left, double width) {
  for (std::size_t bin = 0; bin < at.counts.size(); ++bin) {
    if (at.counts[bin] == 0) continue;
    const double part = fraction(at.counts[bin], at.total());
    svg.element("g", {{"class", "cell"}}, [&] {
      svg.element("title", {},
                  fmt::format("Epoch {}, {}: {} %", at.epoch, bin_phrase(bin), percent(part)));
      svg.leaf("rect", {{"x", left},
                        {"y", kBox.bottom - kRow * static_cast<double>(bin + 1)},
                        {"width", width},
                        {"height", kRow},
                        {"fill-opacity", std::sqrt(part)}});
    });
  }
}

void draw_length_axis(Markup& svg, std::int64_t side) {
  svg.element("text", {{"x", kBox.left}, {"y", kBox.top - 12}}, "length, pixels");
  for (const double end : kOffsetBinEnds) {
    const double at = height_of(end);
    svg.leaf("line", {{"x1", kBox.left}, {"x2", kBox.right}, {"y1", at}, {"y2", at}});
    svg.element("text", {{"x", kBox.left - 8}, {"y", at + 4}, {"text-anchor", "end"}},
                fmt::format("{}", end));
  }
  const double half = height_of(static_cast<double>(side) / 2);
  svg.leaf("line",
           {{"class", "half"}, {"x1", kBox.left}, {"x2", kBox.right}, {"y1", half}, {"y2", half}});
  svg.element("text", {{"x", kBox.right - 4}, {"y", half - 5}, {"text-anchor", "end"}},
              "half of the image");
}

}  // namespace

void draw_offsets(Markup& page, const Section& section, const System& system,
                  std::span<const OffsetHistogram> by_epoch) {
  const int first = by_epoch.front().epoch, epochs = by_epoch.back().epoch - first + 1;
  const double width = (kBox.right - kBox.left) / epochs;
  const int every = static_cast<int>(nice_step(epochs, kMostLabels, 1.0));
  const std::string title = labelled(section, fmt::format("Offset lengths in {} of {} by epoch",
                                                          by_epoch.front().layer, system.title));
  page.element("div", {{"class", "chart"}}, [&] {
    draw_svg(page, 300, 272, title, "Parts of the offsets by length, epoch by epoch.", [&] {
      for (const OffsetHistogram& at : by_epoch)
        draw_column(page, at, kBox.left + width * (at.epoch - first), width);
      page.element("g", {{"class", "axes"}}, [&] {
        draw_length_axis(page, by_epoch.front().side);
        for (const OffsetHistogram& at : by_epoch)
          if (at.epoch == first || at.epoch % every == 0)
            page.element("text",
                         {{"x", kBox.left + width * (at.epoch - first + 0.5)},
                          {"y", kBox.bottom + 17},
                          {"text-anchor", "middle"}},
                         std::to_string(at.epoch));
        page.element("text",
                     {{"x", (kBox.left + kBox.right) / 2},
                      {"y", kBox.bottom + 36},
                      {"text-anchor", "middle"}},
                     "epoch");
      });
      draw_synthetic_label(page, section, kBox);
    });
  });
}

}  // namespace drape
