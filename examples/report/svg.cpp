#include "examples/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace drape {
namespace {

constexpr double kSlack = 1e-9;  // of a step: rounding of multiples
constexpr double kTau = 2.0 * std::numbers::pi;

double overlap_area(const Box& a, const Box& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  return std::max(width, 0.0) * std::max(height, 0.0);
}

// The label's box at `distance` from its point in the direction of `angle`, moved into the bounds.
Box box_near(const Label& label, double distance, double angle, const Box& bounds) {
  const double x = label.x + std::cos(angle) * (distance + label.width / 2);
  const double y = label.y + std::sin(angle) * (distance + label.height / 2);
  const double left = std::clamp(x - label.width / 2, bounds.left,
                                 std::max(bounds.left, bounds.right - label.width));
  const double top = std::clamp(y - label.height / 2, bounds.top,
                                std::max(bounds.top, bounds.bottom - label.height));
  return {left, top, left + label.width, top + label.height};
}

// The area of a label's box that lies over marks and over placed labels.
double conflict(const Box& box, std::span<const Label> labels, std::span<const Box> placed) {
  double area = 0.0;
  for (const Label& other : labels) area += overlap_area(box, other.mark);
  for (const Box& other : placed) area += overlap_area(box, other);
  return area;
}

Box best_box(const Label& label, std::span<const Label> labels, std::span<const Box> placed,
             const Box& bounds) {
  // Right, left, above, below, then the diagonals; later rings also try the directions between.
  constexpr std::array kEighths{0, 4, 6, 2, 7, 5, 1, 3};
  Box best;
  double least = std::numeric_limits<double>::infinity();
  for (double distance = 10.0; distance < 160.0; distance *= 1.3) {
    for (const double turn : {0.0, 0.5}) {
      for (const int eighth : kEighths) {
        const Box box = box_near(label, distance, (eighth + turn) * kTau / 8.0, bounds);
        const double area = conflict(box, labels, placed);
        if (area == 0.0) return box;
        if (area < least) {
          least = area;
          best = box;
        }
      }
    }
  }
  return best;
}

}  // namespace

double nice_step(double span, int most, double smallest) {
  const double wanted = std::max(span / most, smallest);
  if (!(wanted > 0.0)) return 1.0;
  const double power = std::pow(10.0, std::floor(std::log10(wanted)));
  for (const double digit : {1.0, 2.0, 5.0})
    if (digit * power >= wanted * (1.0 - kSlack)) return digit * power;
  return 10.0 * power;
}

Range widen(Range range, double step) {
  const double low = std::floor(range.low / step + kSlack) * step;
  const double high = std::ceil(range.high / step - kSlack) * step;
  return high > low ? Range{low, high} : Range{low - step, low + step};
}

std::vector<double> ticks(Range range, double step) {
  std::vector<double> values;
  const double last = std::floor(range.high / step + kSlack);
  for (double i = std::ceil(range.low / step - kSlack); i <= last; ++i)
    values.push_back(i == 0.0 ? 0.0 : i * step);
  return values;
}

std::string tick_label(double value, double step) {
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + kSlack)));
  return fmt::format("{:.{}f}", value, decimals);
}

void draw_axes(Markup& svg, const Plot& plot, const Axis& x, const Axis& y) {
  const Box& box = plot.box;
  svg.element("g", {{"class", "axes"}}, [&] {
    for (const double value : y.ticks) {
      const double at = plot.py(value);
      svg.leaf("line", {{"x1", box.left}, {"x2", box.right}, {"y1", at}, {"y2", at}});
      svg.element("text", {{"x", box.left - 8}, {"y", at + 4}, {"text-anchor", "end"}},
                  tick_label(value, y.step));
    }
    for (const double value : x.ticks) {
      const double at = plot.px(value);
      svg.leaf("line", {{"x1", at}, {"x2", at}, {"y1", box.bottom}, {"y2", box.bottom + 5}});
      svg.element("text", {{"x", at}, {"y", box.bottom + 19}, {"text-anchor", "middle"}},
                  tick_label(value, x.step));
    }
    const double middle = (box.left + box.right) / 2;
    svg.element("text", {{"x", middle}, {"y", box.bottom + 38}, {"text-anchor", "middle"}},
                x.title);
    svg.element("text", {{"x", box.left}, {"y", box.top - 12}, {"text-anchor", "start"}}, y.title);
  });
}

std::string marker_path(int shape, double x, double y, double radius) {
  struct Polygon {
    int corners;
    double scale, turn;  // of the radius; of the first corner, as a part of a full turn
  };
  constexpr std::array<Polygon, 5> kPolygons{
      {{4, 1.2, 0.125}, {3, 1.4, 0.75}, {4, 1.35, 0.0}, {3, 1.4, 0.25}, {5, 1.2, 0.75}}};
  const int kind = shape % static_cast<int>(kPolygons.size() + 1);
  if (kind == 0)
    return fmt::format("M{} {}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0z", coordinate(x - radius),
                       coordinate(y), fmt::arg("r", coordinate(radius)),
                       fmt::arg("d", coordinate(2 * radius)));
  const auto [corners, scale, turn] = kPolygons[static_cast<std::size_t>(kind - 1)];
  std::string path;
  for (int i = 0; i < corners; ++i) {
    const double angle = kTau * (turn + static_cast<double>(i) / corners);
    path +=
        fmt::format("{}{} {}", i == 0 ? 'M' : 'L', coordinate(x + scale * radius * std::cos(angle)),
                    coordinate(y + scale * radius * std::sin(angle)));
  }
  return path + "z";
}

std::vector<Box> place_labels(std::span<const Label> labels, const Box& bounds) {
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return labels[i].y; });
  std::vector<Box> boxes(labels.size()), placed;
  for (const std::size_t i : order) {
    boxes[i] = best_box(labels[i], labels, placed, bounds);
    placed.push_back(boxes[i]);
  }
  return boxes;
}

}  // namespace drape
