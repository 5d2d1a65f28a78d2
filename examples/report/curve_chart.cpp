// Validation accuracy by epoch or by training time: lines, bands over seeds, published bests.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examples/report/charts.h"
#include "examples/report/text.h"

namespace drape {
namespace {

constexpr double kMarkerSpacing = 44.0;  // at least, between the drawn markers of one curve
constexpr double kMargin = 7.0;          // for markers at the edge of the plot
constexpr double kNarrowChart = 500.0;   // the width below which a chart is for phones

struct TimeUnit {
  std::string_view name;
  double seconds;
};

// The one that people would tell such a time in.
TimeUnit unit_for(double seconds) {
  if (seconds < 600.0) return {"seconds", 1.0};
  if (seconds < 36'000.0) return {"minutes", 60.0};
  return {"hours", 3600.0};
}

// Where a chart's curves have their points.
class Abscissa {
 public:
  explicit Abscissa(const CurveChart& chart) : against_(chart.against) {
    double longest = 0.0;
    for (const SystemSummary* summary : chart.systems)
      longest = std::max(longest, summary->elapsed.back());
    unit_ = unit_for(longest);
  }

  double of(const SystemSummary& summary, std::size_t epoch_index) const {
    if (against_ == Against::epochs) return static_cast<double>(epoch_index) + 1.0;
    return summary.elapsed[epoch_index] / unit_.seconds;
  }

  // What a mark says besides its accuracy; the epoch alone is said of all systems at once.
  std::string note(const SystemSummary& summary, std::size_t epoch_index) const {
    if (against_ == Against::epochs) return "";
    return fmt::format(" after {:.1f} {}, epoch {}", of(summary, epoch_index), unit_.name,
                       epoch_index + 1);
  }

  std::string_view unit() const { return unit_.name; }

 private:
  Against against_;
  TimeUnit unit_{"seconds", 1.0};
};

// One system's curve in a plot.
class Curve {
 public:
  Curve(const Plot& plot, const Abscissa& abscissa, const SystemSummary& summary)
      : plot_(plot), abscissa_(abscissa), summary_(summary) {}

  // `index` of `curves` staggers the markers, so that curves on top of each other differ.
  void draw(Markup& svg, std::size_t index, std::size_t curves) const {
    const std::vector<Statistic>& curve = summary_.curve;
    const auto trained_by_all = [&](const Statistic& at) { return at.count == curve[0].count; };
    const auto whole = static_cast<std::size_t>(std::ranges::count_if(curve, trained_by_all));
    draw_series(svg, *summary_.system, [&] {
      draw_band(svg);
      draw_line(svg, 0, whole, "line");
      if (whole < curve.size()) draw_line(svg, whole - 1, curve.size(), "line tail");
      draw_marks(svg, index, curves);
    });
  }

 private:
  double x(std::size_t i) const { return plot_.px(abscissa_.of(summary_, i)); }
  double y(double accuracy) const { return plot_.py(100.0 * accuracy); }

  std::string point(std::size_t i, double accuracy) const {
    return coordinate(x(i)) + "," + coordinate(y(accuracy)) + " ";
  }

  void draw_band(Markup& svg) const {
    if (summary_.seeds.size() < 2) return;
    std::string there, back;
    for (std::size_t i = 0; i < summary_.curve.size(); ++i) {
      there += point(i, summary_.curve[i].high);
      back = point(i, summary_.curve[i].low) + back;
    }
    svg.leaf("polygon", {{"class", "band"}, {"points", there + back}});
  }

  void draw_line(Markup& svg, std::size_t begin, std::size_t end, std::string_view style) const {
    std::string points;
    for (std::size_t i = begin; i < end; ++i) points += point(i, summary_.curve[i].mean);
    svg.leaf("polyline", {{"class", style}, {"points", points}});
  }

  std::string mark_class(std::size_t i, bool visible) const {
    const bool trained_by_all = summary_.curve[i].count == summary_.curve[0].count;
    return fmt::format("mark{}{}", visible ? "" : " hidden", trained_by_all ? "" : " tail");
  }

  // Something to point at for every epoch, of which every few are visible markers.
  void draw_marks(Markup& svg, std::size_t index, std::size_t curves) const {
    const std::size_t last = summary_.curve.size() - 1;
    const double spacing =
        last == 0 ? kMarkerSpacing : (x(last) - x(0)) / static_cast<double>(last);
    const auto every = static_cast<std::size_t>(
        std::clamp(std::ceil(kMarkerSpacing / spacing), 1.0, static_cast<double>(last + 1)));
    const std::size_t phase = index * every / curves;
    const System& system = *summary_.system;
    const int shape = series_number(system);
    for (std::size_t i = 0; i < summary_.curve.size(); ++i) {
      const Statistic& accuracy = summary_.curve[i];
      const std::string value = accuracy_phrase(accuracy) + abscissa_.note(summary_, i);
      svg.element(
          "g",
          {{"class", mark_class(i, i % every == phase)},
           {"data-epoch", static_cast<double>(i + 1)},
           {"data-x", x(i)},
           {"data-value", value}},
          [&] {
            svg.element("title", {}, fmt::format("{}, epoch {}: {}", system.title, i + 1, value));
            svg.leaf("path",
                     {{"class", "marker"}, {"d", marker_path(shape, x(i), y(accuracy.mean), 4.0)}});
          });
    }
  }

  const Plot& plot_;
  const Abscissa& abscissa_;
  const SystemSummary& summary_;
};

void draw_published(Markup& svg, const Plot& plot, const System& system) {
  const double x = plot.px(system.published_epoch), y = plot.py(100.0 * system.published_accuracy);
  const std::string cross =
      fmt::format("M{} {}l12 12m0 -12l-12 12", coordinate(x - 6), coordinate(y - 6));
  draw_series(svg, system, [&] {
    svg.element("g", {{"class", "mark"}}, [&] {
      svg.element("title", {},
                  fmt::format("{}, published: {} % at epoch {}", system.title,
                              percent(system.published_accuracy), system.published_epoch));
      svg.leaf("circle", {{"class", "target"}, {"cx", x}, {"cy", y}, {"r", 10}});
      svg.leaf("path", {{"class", "cross"}, {"d", cross}});
    });
  });
}

bool shows_crosses(const Section& section, const CurveChart& chart) {
  return chart.published == PublishedMarks::shown && chart.against == Against::epochs &&
         section.shows_published() && section.protocol == "published";
}

// What may be drawn on: the plot and a margin, but not below an axis that cuts values off.
Box canvas(const Plot& plot, View view) {
  const Box& box = plot.box;
  return {box.left - kMargin, box.top - kMargin, box.right + kMargin,
          box.bottom + (view == View::top ? 0.0 : kMargin)};
}

// The lowest accuracy, in percent, that the view shows.
double floor_of(const CurveChart& chart) {
  if (chart.view == View::whole) return 0.0;
  double lowest = 100.0;
  for (const SystemSummary* summary : chart.systems)
    lowest = std::min(lowest, 100.0 * summary->best_accuracy.low - 1.0);
  return lowest;
}

Plot curve_plot(const Section& section, const CurveChart& chart, const Abscissa& abscissa,
                Size size) {
  Range along = chart.against == Against::epochs ? Range{1.0, 2.0} : Range{0.0, 0.0};
  Range accuracy = kNothing;
  const double floor = floor_of(chart);
  const auto include = [&](double x, double fraction) {
    along = including(along, x);
    accuracy = including(accuracy, std::max(floor, 100.0 * fraction));
  };
  for (const SystemSummary* summary : chart.systems) {
    for (std::size_t i = 0; i < summary->curve.size(); ++i) {
      include(abscissa.of(*summary, i), summary->curve[i].low);
      include(abscissa.of(*summary, i), summary->curve[i].high);
    }
    if (shows_crosses(section, chart))
      include(summary->system->published_epoch, summary->system->published_accuracy);
  }
  return {{48, 36, size.width - 16, size.height - 52}, along, accuracy};
}

// Epoch 1 and those multiples of a nice step that stand clear of it.
Axis epoch_axis(Range range, int most_steps) {
  const double step = nice_step(range.span(), most_steps, 1.0);
  std::vector<double> values = ticks(range, step);
  std::erase_if(values, [&](double value) { return value - range.low < step / 2; });
  values.insert(values.begin(), range.low);
  return {values, step, "epoch"};
}

// From the beginning of training to a tick after all curves.
Axis time_axis(Range& range, std::string_view unit, int most_steps) {
  const double step = nice_step(range.span(), most_steps);
  range.high = std::max(step, widen(range, step).high);
  return {ticks(range, step), step, fmt::format("training time, {}", unit)};
}

}  // namespace

void draw_curves(Markup& page, const Section& section, const CurveChart& chart, Size size) {
  const bool narrow = size.width < kNarrowChart, timed = chart.against == Against::seconds;
  const Abscissa abscissa(chart);
  Plot plot = curve_plot(section, chart, abscissa, size);
  const Axis y = accuracy_axis(plot.y, 8);
  const int most_steps = narrow ? 6 : 12;
  const Axis x = timed ? time_axis(plot.x, abscissa.unit(), most_steps / 2 + 2)
                       : epoch_axis(plot.x, most_steps);
  std::string description =
      fmt::format("Validation accuracy by {}.", timed ? "training time" : "epoch");
  for (const SystemSummary* summary : chart.systems)
    description +=
        fmt::format(" {}: best {} %.", summary->system->title, percent(summary->best_accuracy));
  const std::string style =
      fmt::format("chart {}{}", narrow ? "narrow" : "wide", timed ? " timed" : "");
  page.element("div", {{"class", style}}, [&] {
    draw_svg(page, size.width, size.height, labelled(section, chart.title), description, [&] {
      draw_axes(page, plot, x, y);
      draw_synthetic_label(page, section, plot.box);
      draw_clipped(page, canvas(plot, chart.view), [&] {
        page.leaf("line", {{"class", "cursor"}, {"y1", plot.box.top}, {"y2", plot.box.bottom}});
        for (std::size_t i = 0; i < chart.systems.size(); ++i)
          Curve(plot, abscissa, *chart.systems[i]).draw(page, i, chart.systems.size());
        if (!shows_crosses(section, chart)) return;
        for (const SystemSummary* summary : chart.systems)
          draw_published(page, plot, *summary->system);
      });
    });
  });
}

}  // namespace drape
