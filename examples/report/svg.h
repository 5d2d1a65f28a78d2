// The parts every chart is made of: nice axis steps, a plot area with axes, markers, label
// placement.
#pragma once

#include <algorithm>
#include <concepts>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examples/report/markup.h"

namespace drape {

/// A closed interval, low <= high.
struct Range {
  double low = 0.0;
  double high = 0.0;

  double span() const { return high - low; }
};

/// What including() starts from.
inline constexpr Range kNothing{std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity()};

/// The smallest range around both.
inline Range including(Range range, double value) {
  return {std::min(range.low, value), std::max(range.high, value)};
}

/// The smallest of 1, 2, 5 * 10^k (Heckbert 1990, "Nice numbers for graph labels") that is >=
/// `smallest` and cuts `span` into at most `most` steps. 1 or `smallest` for an empty span.
double nice_step(double span, int most, double smallest = 0.0);

/// The range widened to multiples of the step on both sides; never empty.
Range widen(Range range, double step);

/// The multiples of the step inside the range, ascending.
std::vector<double> ticks(Range range, double step);

/// The number with exactly the decimals that tell multiples of the step apart: (0.5, 0.1) -> "0.5".
std::string tick_label(double value, double step);

/// Where a chart's data go, in pixels of its viewBox.
struct Box {
  double left = 0.0, top = 0.0, right = 0.0, bottom = 0.0;
};

/// A plot area: data ranges mapped to a box, y upwards.
struct Plot {
  Box box;
  Range x, y;

  double px(double value) const {
    return box.left + (value - x.low) / x.span() * (box.right - box.left);
  }
  double py(double value) const {
    return box.bottom - (value - y.low) / y.span() * (box.bottom - box.top);
  }
};

/// One axis: its ticks and its name.
struct Axis {
  std::vector<double> ticks;
  double step = 1.0;
  std::string title;
};

/// Grid lines, tick labels and titles of both axes.
void draw_axes(Markup& svg, const Plot& plot, const Axis& x, const Axis& y);

/// An <svg> of that size, scaled by the page, with a title and a description for screen readers.
template <std::invocable Content>
void draw_svg(Markup& page, double width, double height, std::string_view title,
              std::string_view description, Content&& content) {
  const std::string view = "0 0 " + coordinate(width) + " " + coordinate(height);
  page.element("svg", {{"viewBox", view}, {"role", "img"}, {"aria-label", title}}, [&] {
    page.element("title", {}, title);
    page.element("desc", {}, description);
    content();
  });
}

/// Content that is cut off at the edges of the box.
template <std::invocable Content>
void draw_clipped(Markup& svg, const Box& box, Content&& content) {
  const double width = box.right - box.left, height = box.bottom - box.top;
  const std::string view = coordinate(box.left) + " " + coordinate(box.top) + " " +
                           coordinate(width) + " " + coordinate(height);
  svg.element(
      "svg",
      {{"x", box.left}, {"y", box.top}, {"width", width}, {"height", height}, {"viewBox", view}},
      content);
}

/// The path of marker number `shape` (circle, square, triangle, diamond, inverted triangle,
/// pentagon, then again) around (x, y). All have about the area of a circle of that radius.
std::string marker_path(int shape, double x, double y, double radius);

/// A text of some size to be written near a point.
struct Label {
  double x = 0.0, y = 0.0;           // the point
  double width = 0.0, height = 0.0;  // of the text
  Box mark;                          // what is drawn at the point
};

/// A box for each label, inside `bounds`, near its point, over no other label and no point, as far
/// as there is room: tried are rings of growing distance around each point, in a fixed order.
std::vector<Box> place_labels(std::span<const Label> labels, const Box& bounds);

}  // namespace drape
