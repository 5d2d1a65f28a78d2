// The report's charts as inline SVG. Colours and type come from the page's style sheet, style.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examples/offset_history.h"
#include "examples/report/markup.h"
#include "examples/report/summary.h"
#include "examples/report/svg.h"

namespace drape {

using Systems = std::vector<const SystemSummary*>;

/// A chart's size in pixels: pages hold a wide and a narrow drawing and show the one that fits.
struct Size {
  double width = 0.0;
  double height = 0.0;
};

/// Number of a system's hue and marker: the same for systems of the same architecture.
int series_number(const System& system);

/// The classes of a system's marks: "h0", "h1" ... by its number, and "twin" (hollow, dashed) with
/// MixUp.
std::string series_class(const System& system);

/// Opens the group of all marks of one system, which its legend entry switches on and off.
template <std::invocable Content>
void draw_series(Markup& svg, const System& system, Content&& content) {
  svg.element("g",
              {{"class", "series " + series_class(system)},
               {"data-series", system.name},
               {"data-name", system.title}},
              content);
}

/// A short line with the system's marker, as its curves have it.
void draw_swatch(Markup& page, const System& system);

/// Buttons that switch the marks and figures of these systems on and off.
void draw_legend(Markup& page, const Systems& systems);

/// A system's marker, with what it says when pointed at.
void draw_mark(Markup& svg, const System& system, double x, double y, std::string_view hint);

/// "92.30 %", with the range over seeds if there are several.
std::string accuracy_phrase(const Statistic& accuracy);

/// The title with "(SYNTHETIC data)" where the section is synthetic.
std::string labelled(const Section& section, std::string_view title);

/// "SYNTHETIC DATA" above the right end of the box, if the section is synthetic.
void draw_synthetic_label(Markup& svg, const Section& section, const Box& box);

/// An axis of percentages over the range, which is widened to the axis's ticks.
Axis accuracy_axis(Range& range, int most_steps);

enum class View { whole, top };  // all values, or those within a point of the lowest best
enum class PublishedMarks { hidden, shown };

enum class Against { epochs, seconds };  // of training

/// Curves of validation accuracy. Published bests are known by epoch alone.
struct CurveChart {
  Systems systems;
  std::string title;
  View view = View::whole;
  PublishedMarks published = PublishedMarks::hidden;
  Against against = Against::epochs;
};

/// The mean over seeds with a band from the worst to the best, fainter where only some seeds got so
/// far. Published bests are shown as crosses, and only under the published protocol on real data.
void draw_curves(Markup& page, const Section& section, const CurveChart& chart, Size size);

/// What accuracy is weighed against.
enum class Cost { parameters, multiply_adds, seconds_per_epoch };

/// Best validation accuracy against a cost: a labelled point per system, with its range over seeds.
void draw_trade_off(Markup& page, const Section& section, Cost cost, Size size);

/// A heat map of how long a layer's offsets were: epochs across, bins of lengths upwards, coloured
/// by the square root of the bin's part.
void draw_offsets(Markup& page, const Section& section, const System& system,
                  std::span<const OffsetHistogram> by_epoch);

/// A heat map of a system's confusion matrix: counts, coloured by the square root of their part of
/// the true class, so that rare mistakes show.
void draw_confusion(Markup& page, const Section& section, const SystemSummary& summary,
                    std::span<const std::string> class_names);

}  // namespace drape
