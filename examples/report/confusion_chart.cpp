// A confusion matrix as a heat map.
#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "examples/fraction.h"
#include "examples/report/charts.h"
#include "examples/report/text.h"

namespace drape {
namespace {

constexpr double kCell = 30.0, kLeft = 84.0, kTop = 84.0;  // of the matrix, in pixels

// The strength of a cell's colour from which white on it is easier to read than black; in the dark
// scheme, the other way round. The page's two heat colours were chosen to share it.
constexpr double kStrongFrom = 0.63;

void draw_class_names(Markup& svg, std::size_t classes, std::span<const std::string> class_names) {
  svg.element("g", {{"class", "axes"}}, [&] {
    for (std::size_t i = 0; i < classes; ++i) {
      const double middle = kCell * (static_cast<double>(i) + 0.5);
      const std::string turn = fmt::format("translate({} {}) rotate(-55)",
                                           coordinate(kLeft + middle + 3), coordinate(kTop - 6));
      const std::string name = class_name(class_names, i);
      svg.element("text", {{"transform", turn}}, name);
      svg.element("text", {{"x", kLeft - 8}, {"y", kTop + middle + 4}, {"text-anchor", "end"}},
                  name);
    }
    svg.element("text", {{"x", kLeft - 8}, {"y", kTop - 24}, {"text-anchor", "end"}},
                "predicted →");
    svg.element("text", {{"x", kLeft - 8}, {"y", kTop - 8}, {"text-anchor", "end"}}, "true ↓");
  });
}

std::string cell_class(std::int64_t count, double strength) {
  std::string name = "cell";
  if (count == 0) name += " zero";
  if (count >= 1000) name += " long";
  if (strength >= kStrongFrom) name += " strong";
  return name;
}

// `part`: of the images of the row's class.
void draw_cell(Markup& svg, double left, double top, std::int64_t count, double part,
               const std::string& hint) {
  const double strength = std::sqrt(part);
  svg.element("g", {{"class", cell_class(count, strength)}}, [&] {
    svg.element("title", {}, hint);
    svg.leaf("rect", {{"x", left},
                      {"y", top},
                      {"width", kCell - 1},
                      {"height", kCell - 1},
                      {"fill-opacity", strength}});
    svg.element(
        "text",
        {{"x", left + (kCell - 1) / 2}, {"y", top + kCell / 2 + 3}, {"text-anchor", "middle"}},
        std::to_string(count));
  });
}

}  // namespace

void draw_confusion(Markup& page, const Section& section, const SystemSummary& summary,
                    std::span<const std::string> class_names) {
  const Confusion& confusion = summary.confusion;
  const double side = kCell * static_cast<double>(confusion.size());
  const std::string title = fmt::format("Confusion matrix of {}", summary.system->title);
  draw_svg(page, kLeft + side + 40, kTop + side + 4, labelled(section, title),
           worst_confusion(confusion, class_names), [&] {
             draw_class_names(page, confusion.size(), class_names);
             draw_synthetic_label(page, section, {0, 24, kLeft + side, 0});
             for (std::size_t i = 0; i < confusion.size(); ++i) {
               const auto total =
                   std::accumulate(confusion[i].begin(), confusion[i].end(), std::int64_t{0});
               for (std::size_t j = 0; j < confusion.size(); ++j) {
                 const std::int64_t count = confusion[i][j];
                 const double part = fraction(count, total);
                 draw_cell(
                     page, kLeft + kCell * static_cast<double>(j),
                     kTop + kCell * static_cast<double>(i), count, part,
                     fmt::format("{} taken for {}: {} of {} ({} %)", class_name(class_names, i),
                                 class_name(class_names, j), grouped_digits(count),
                                 grouped_digits(total), percent(part)));
               }
             }
           });
}

}  // namespace drape
