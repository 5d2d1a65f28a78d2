#include "examples/report/sampling_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "examples/report/svg.h"

namespace drape {
namespace {

constexpr double kLeastSide = 24.0, kMostSide = 56.0;  // of a picture, in pixels of the image
// Pixels that a picture shows outside of the image, if no point lies farther away.
constexpr double kBeyond = 3.0;

// The part of an image that a picture shows: a square, in pixels of the image.
struct Window {
  double left = 0.0, top = 0.0, side = 0.0;
};

// Where a stretch of that length begins that has all coordinates in it, `middle` if it can in its
// middle, and little of what is beyond 0 ... extent.
double begin_of(double length, double middle, const Range& coordinates, double extent) {
  const double begin = std::max(std::min(middle - length / 2, extent + kBeyond - length), -kBeyond);
  return std::max(std::min(begin, coordinates.low), coordinates.high - length);
}

Window window_of(const SamplingPoints& points, const GreyImage& image) {
  Range x = kNothing, y = kNothing;
  for (const auto* positions : {&points.regular, &points.taps, &points.points})
    for (const Position& at : *positions)
      for (const double margin : {-0.5, 1.5}) {
        x = including(x, at.x + margin);
        y = including(y, at.y + margin);
      }
  const double side = std::clamp(std::max(x.span(), y.span()), kLeastSide, kMostSide);
  return {begin_of(side, points.output.x + 0.5, x, static_cast<double>(image.width)),
          begin_of(side, points.output.y + 0.5, y, static_cast<double>(image.height)), side};
}

// Dots at the positions, as one path: lines of no length, which round caps make visible.
std::string dots(const std::vector<Position>& positions, const Window& window) {
  std::string path;
  for (const Position& at : positions)
    path += fmt::format("M{} {}h0", coordinate(at.x + 0.5 - window.left),
                        coordinate(at.y + 0.5 - window.top));
  return path;
}

void draw_image(Markup& svg, const GreyImage& image, double left, double top) {
  svg.leaf("image", {{"href", data_uri(image)},
                     {"x", left},
                     {"y", top},
                     {"width", static_cast<double>(image.width)},
                     {"height", static_cast<double>(image.height)}});
}

}  // namespace

void draw_sampling_points(Markup& page, const System& system, const SamplingPicture& picture,
                          std::string_view label) {
  const SamplingPoints& points = picture.points;
  const Window window = window_of(points, picture.image);
  const std::string title = fmt::format("{}: {}, {}", system.title, label, picture.place);
  page.element("div", {{"class", "look"}}, [&] {
    draw_svg(
        page, window.side, window.side, title, "What one output pixel reads of a test image.", [&] {
          page.leaf("rect", {{"class", "around"}, {"width", window.side}, {"height", window.side}});
          draw_image(page, picture.image, -window.left, -window.top);
          for (const auto& [style, positions] :
               {std::pair("points", &points.points), std::pair("taps", &points.taps),
                std::pair("regular", &points.regular)}) {
            const std::string path = dots(*positions, window);
            page.leaf("path", {{"class", "outline"}, {"d", path}});
            page.leaf("path", {{"class", style}, {"d", path}});
          }
          page.leaf("circle", {{"class", "output"},
                               {"cx", points.output.x + 0.5 - window.left},
                               {"cy", points.output.y + 0.5 - window.top},
                               {"r", 0.75}});
        });
    page.element("p", {}, fmt::format("{}: {}", label, picture.place));
  });
}

void draw_filter_mosaic(Markup& page, const System& system, const FilterPicture& filters) {
  const GreyImage& image = filters.image;
  const auto width = static_cast<double>(image.width), height = static_cast<double>(image.height);
  page.element("div", {{"class", "mosaic"}}, [&] {
    draw_svg(page, width, height, fmt::format("First-layer filters of {}", system.title),
             "Each square is a filter.", [&] {
               draw_image(page, image, 0, 0);
               std::string gaps;
               for (std::int64_t x = filters.width; x < image.width; x += filters.width)
                 gaps += fmt::format("M{} 0v{}", x, image.height);
               for (std::int64_t y = filters.height; y < image.height; y += filters.height)
                 gaps += fmt::format("M0 {}h{}", y, image.width);
               page.leaf("path", {{"class", "gaps"}, {"d", gaps}});
             });
  });
}

}  // namespace drape
