// What the charts share.
#include "examples/report/charts.h"

#include <fmt/format.h>

#include <algorithm>

#include "examples/report/text.h"

namespace drape {

int series_number(const System& system) {
  std::vector<std::string_view> bases;
  for (const System& other : systems()) {
    if (other.base == system.base) break;
    if (std::ranges::find(bases, other.base) == bases.end()) bases.push_back(other.base);
  }
  return static_cast<int>(bases.size());
}

std::string series_class(const System& system) {
  return fmt::format("h{}{}", series_number(system), system.base == system.name ? "" : " twin");
}

void draw_swatch(Markup& page, const System& system) {
  page.element("svg",
               {{"class", "swatch " + series_class(system)},
                {"viewBox", "0 0 28 14"},
                {"aria-hidden", "true"}},
               [&] {
                 page.leaf("path", {{"class", "line"}, {"d", "M1 7h26"}});
                 page.leaf("path", {{"class", "marker"},
                                    {"d", marker_path(series_number(system), 14, 7, 4)}});
               });
}

void draw_legend(Markup& page, const Systems& systems) {
  page.element("div", {{"class", "legend"}, {"role", "group"}, {"aria-label", "Systems shown"}},
               [&] {
                 for (const SystemSummary* summary : systems)
                   page.element("button",
                                {{"type", "button"},
                                 {"aria-pressed", "true"},
                                 {"data-toggles", summary->system->name}},
                                [&] {
                                  draw_swatch(page, *summary->system);
                                  page.text(summary->system->title);
                                });
               });
}

void draw_mark(Markup& svg, const System& system, double x, double y, std::string_view hint) {
  svg.element("g", {{"class", "mark"}}, [&] {
    svg.element("title", {}, hint);
    svg.leaf("path", {{"class", "marker"}, {"d", marker_path(series_number(system), x, y, 5.0)}});
  });
}

std::string accuracy_phrase(const Statistic& accuracy) {
  if (accuracy.count < 2) return percent(accuracy.mean) + " %";
  return fmt::format("{} % ({} to {}, {} seeds)", percent(accuracy.mean), percent(accuracy.low),
                     percent(accuracy.high), accuracy.count);
}

std::string labelled(const Section& section, std::string_view title) {
  return fmt::format("{}{}", title, section.synthetic ? " (SYNTHETIC data)" : "");
}

void draw_synthetic_label(Markup& svg, const Section& section, const Box& box) {
  if (!section.synthetic) return;
  svg.element(
      "text",
      {{"class", "synthetic"}, {"x", box.right}, {"y", box.top - 12}, {"text-anchor", "end"}},
      "SYNTHETIC DATA");
}

Axis accuracy_axis(Range& range, int most_steps) {
  constexpr double kLeastSpan = 0.5;  // points; smaller differences should look small
  if (range.span() < kLeastSpan) {
    const double middle = (range.low + range.high) / 2;
    range = {std::max(0.0, middle - kLeastSpan / 2), std::min(100.0, middle + kLeastSpan / 2)};
  }
  const double step = nice_step(range.span(), most_steps);
  range = widen(range, step);
  return {ticks(range, step), step, "validation accuracy, %"};
}

}  // namespace drape
