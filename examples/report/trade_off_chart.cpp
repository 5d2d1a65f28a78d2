// Accuracy against a cost: a scatter plot with named points.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examples/report/charts.h"

namespace drape {
namespace {

constexpr double kCharacterWidth = 6.3, kLabelHeight = 14.0;  // of a point's name, 11 px high
// A name farther away than this is tied to its point by a line.
constexpr double kLeaderFrom = 14.0;

std::string_view cost_title(Cost cost) {
  if (cost == Cost::parameters) return "parameters, millions";
  if (cost == Cost::multiply_adds) return "multiply-adds per image, millions";
  return "seconds per epoch";
}

// In the unit of its title.
double cost_of(const SystemSummary& summary, Cost cost) {
  if (cost == Cost::parameters) return 1e-6 * static_cast<double>(summary.parameters);
  if (cost == Cost::multiply_adds)
    return 1e-6 * static_cast<double>(summary.multiply_adds_per_image);
  return summary.seconds_per_epoch.mean;
}

// One system in the plot, in pixels.
struct Point {
  const SystemSummary* summary;
  double x, y;
  Box mark;  // the marker and the range over seeds
};

std::vector<Point> points_of(const Section& section, const Plot& plot, Cost cost) {
  std::vector<Point> points;
  for (const SystemSummary& summary : section.systems) {
    const Statistic& accuracy = summary.best_accuracy;
    const double x = plot.px(cost_of(summary, cost)), y = plot.py(100.0 * accuracy.mean);
    const double high = plot.py(100.0 * accuracy.high), low = plot.py(100.0 * accuracy.low);
    points.push_back({&summary, x, y, {x - 7, std::min(y - 7, high), x + 7, std::max(y + 7, low)}});
  }
  return points;
}

std::vector<Box> name_boxes(const std::vector<Point>& points, const Box& bounds) {
  std::vector<Label> labels;
  for (const Point& point : points) {
    const double width = kCharacterWidth * static_cast<double>(point.summary->system->name.size());
    labels.push_back({point.x, point.y, width, kLabelHeight, point.mark});
  }
  return place_labels(labels, bounds);
}

void draw_name(Markup& svg, const Point& point, const Box& box) {
  const double near_x = std::clamp(point.x, box.left, box.right);
  const double near_y = std::clamp(point.y, box.top, box.bottom);
  if (std::hypot(near_x - point.x, near_y - point.y) > kLeaderFrom)
    svg.leaf(
        "line",
        {{"class", "leader"}, {"x1", point.x}, {"y1", point.y}, {"x2", near_x}, {"y2", near_y}});
  svg.element("text",
              {{"class", "label"},
               {"x", (box.left + box.right) / 2},
               {"y", box.bottom - 3.5},
               {"text-anchor", "middle"}},
              point.summary->system->name);
}

void draw_point(Markup& svg, const Plot& plot, const Point& point, Cost cost, const Box& name) {
  const System& system = *point.summary->system;
  const Statistic& accuracy = point.summary->best_accuracy;
  draw_series(svg, system, [&] {
    draw_name(svg, point, name);
    if (accuracy.count > 1)
      svg.leaf("line", {{"class", "whisker"},
                        {"x1", point.x},
                        {"x2", point.x},
                        {"y1", plot.py(100.0 * accuracy.low)},
                        {"y2", plot.py(100.0 * accuracy.high)}});
    draw_mark(svg, system, point.x, point.y,
              fmt::format("{}: {}, {:.2f} {}", system.title, accuracy_phrase(accuracy),
                          cost_of(*point.summary, cost), cost_title(cost)));
  });
}

}  // namespace

void draw_trade_off(Markup& page, const Section& section, Cost cost, Size size) {
  Range costs{0.0, 0.0};
  Range accuracy = kNothing;
  for (const SystemSummary& summary : section.systems) {
    costs = including(costs, cost_of(summary, cost));
    accuracy = including(accuracy, 100.0 * summary.best_accuracy.low);
    accuracy = including(accuracy, 100.0 * summary.best_accuracy.high);
  }
  const double step = nice_step(costs.span(), 6);
  const Axis y = accuracy_axis(accuracy, 6);
  const Range x_range{0.0, std::max(step, widen(costs, step).high)};
  const Plot plot{{48, 36, size.width - 16, size.height - 52}, x_range, accuracy};
  const Axis x{ticks(x_range, step), step, std::string(cost_title(cost))};
  const std::vector<Point> points = points_of(section, plot, cost);
  const std::vector<Box> names = name_boxes(points, plot.box);
  const std::string title = labelled(section, fmt::format("Accuracy against {}", x.title));
  page.element("div", {{"class", "chart"}}, [&] {
    draw_svg(page, size.width, size.height, title, "One point per system.", [&] {
      draw_axes(page, plot, x, y);
      draw_synthetic_label(page, section, plot.box);
      for (std::size_t i = 0; i < points.size(); ++i)
        draw_point(page, plot, points[i], cost, names[i]);
    });
  });
}

}  // namespace drape
