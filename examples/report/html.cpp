#include "examples/report/html.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "examples/report/charts.h"
#include "examples/report/galleries.h"
#include "examples/report/markup.h"
#include "examples/report/script.h"
#include "examples/report/style.h"
#include "examples/report/text.h"

namespace drape {
namespace {

// The page may use what it holds and nothing else.
constexpr std::string_view kContentPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:";

constexpr Size kHalf{560, 380}, kThird{380, 330}, kNarrow{380, 340};

// Where a new group of columns begins, which gets a line on its left.
bool begins_group(const std::vector<Column>& columns, std::size_t i) {
  return !columns[i].group.empty() && columns[i].group != columns[i - 1].group;
}

void draw_table_head(Markup& page, const std::vector<Column>& columns) {
  page.element("tr", {}, [&] {
    page.element("th", {{"class", "system"}, {"rowspan", 2}, {"scope", "col"}}, columns[0].title);
    for (std::size_t i = 1; i < columns.size();) {
      std::size_t end = i + 1;
      while (end < columns.size() && columns[end].group == columns[i].group) ++end;
      page.element("th",
                   {{"class", begins_group(columns, i) ? "group begins" : "group"},
                    {"colspan", static_cast<double>(end - i)},
                    {"scope", "colgroup"}},
                   columns[i].group);
      i = end;
    }
  });
  page.element("tr", {}, [&] {
    for (std::size_t i = 1; i < columns.size(); ++i)
      page.element(
          "th", {{"class", begins_group(columns, i) ? "title begins" : "title"}, {"scope", "col"}},
          columns[i].title);
  });
}

void draw_table_row(Markup& page, const System& system, const std::vector<Column>& columns,
                    const std::vector<std::string>& cells) {
  page.element("tr", {{"data-series", system.name}}, [&] {
    page.element("th", {{"class", "system"}, {"scope", "row"}}, [&] {
      draw_swatch(page, system);
      page.text(cells[0]);
    });
    for (std::size_t i = 1; i < columns.size(); ++i)
      page.element("td", {{"class", begins_group(columns, i) ? "begins" : ""}}, cells[i]);
  });
}

void draw_table(Markup& page, const Section& section) {
  const Table table = comparison_table(section);
  const std::string name = "Comparison: " + section.title();
  const Attributes scroll = {
      {"class", "scroll"}, {"role", "region"}, {"tabindex", 0}, {"aria-label", name}};
  page.element("div", scroll, [&] {
    page.element("table", {}, [&] {
      page.element("thead", {}, [&] { draw_table_head(page, table.columns); });
      page.element("tbody", {}, [&] {
        for (std::size_t row = 0; row < table.rows.size(); ++row)
          draw_table_row(page, *section.systems[row].system, table.columns, table.rows[row]);
      });
    });
  });
}

// Two curve charts side by side: all of it, and its top.
void draw_curve_figure(Markup& page, const Section& section, const Systems& systems,
                       Against against) {
  const char* along = against == Against::epochs ? "epoch" : "training time";
  page.element("h3", {}, fmt::format("Validation accuracy by {}", along));
  page.element("figure", {}, [&] {
    draw_legend(page, systems);
    page.element("div", {{"class", "grid two"}}, [&] {
      const auto draw = [&](const std::string& title, View view) {
        page.element("div", {}, [&] {
          page.element("h4", {}, title);
          const std::string name = fmt::format("Validation accuracy by {}: {}", along, title);
          for (const Size size : {kHalf, kNarrow})
            draw_curves(page, section, {systems, name, view, PublishedMarks::hidden, against},
                        size);
        });
      };
      draw(against == Against::epochs ? "All epochs and values" : "All times and values",
           View::whole);
      draw("The same, enlarged at the top", View::top);
    });
    page.element("figcaption", {}, curve_caption(section));
  });
}

void draw_section_curves(Markup& page, const Section& section) {
  Systems architectures;
  for (const SystemSummary& summary : section.systems)
    if (summary.system->name == summary.system->base ||
        section.find(summary.system->base) == nullptr)
      architectures.push_back(&summary);
  if (architectures.empty()) return;
  draw_curve_figure(page, section, architectures, Against::epochs);
  draw_curve_figure(page, section, architectures, Against::seconds);
}

// Each base model beside its MixUp twin.
void draw_section_twins(Markup& page, const Section& section) {
  std::vector<Systems> pairs;
  for (const SystemSummary& summary : section.systems) {
    const SystemSummary* base = section.find(summary.system->base);
    if (base != nullptr && base != &summary) pairs.push_back({base, &summary});
  }
  if (pairs.empty()) return;
  page.element("h3", {}, "With and without MixUp");
  page.element("p", {{"class", "note"}}, twin_caption(section));
  page.element("div", {{"class", "grid two"}}, [&] {
    for (const Systems& pair : pairs)
      page.element("figure", {}, [&] {
        draw_legend(page, pair);
        const std::string title = fmt::format("{} beside its MixUp twin", pair[0]->system->title);
        for (const Size size : {kHalf, kNarrow})
          draw_curves(page, section, {pair, title, View::whole, PublishedMarks::shown}, size);
      });
  });
}

void draw_section_costs(Markup& page, const Section& section) {
  page.element("h3", {}, "Accuracy against cost");
  Systems all;
  for (const SystemSummary& summary : section.systems) all.push_back(&summary);
  page.element("figure", {}, [&] {
    draw_legend(page, all);
    page.element("div", {{"class", "grid three"}}, [&] {
      for (const Cost cost : {Cost::parameters, Cost::multiply_adds, Cost::seconds_per_epoch})
        draw_trade_off(page, section, cost, kThird);
    });
  });
}

void draw_section_confusions(Markup& page, const Section& section, const ReportOptions& options) {
  const auto counted = [](const SystemSummary& summary) { return !summary.confusion.empty(); };
  if (std::ranges::none_of(section.systems, counted)) return;
  page.element("h3", {}, "Which classes are mistaken for which");
  page.element("p", {{"class", "note"}}, confusion_caption(section));
  page.element("div", {{"class", "grid three"}}, [&] {
    for (const SystemSummary& summary : section.systems) {
      if (!counted(summary)) continue;
      page.element("figure", {{"class", "matrix"}}, [&] {
        page.element("h4", {}, summary.system->title);
        draw_confusion(page, section, summary, options.class_names);
        page.element("figcaption", {}, worst_confusion(summary.confusion, options.class_names));
      });
    }
  });
}

void draw_section(Markup& page, const Section& section, const ReportOptions& options) {
  page.element("section", {}, [&] {
    page.element("h2", {}, section.title());
    page.element("p", {{"class", "lead"}}, headline(section));
    draw_table(page, section);
    for (const std::string& sentence : explanations(section))
      page.element("p", {{"class", "note"}}, sentence);
    draw_section_curves(page, section);
    draw_section_twins(page, section);
    draw_section_costs(page, section);
    draw_section_confusions(page, section, options);
    draw_galleries(page, section, options);
    page.element("h3", {}, "System by system");
    page.element("ul", {}, [&] {
      for (const SystemSummary& summary : section.systems)
        page.element("li", {}, [&] {
          page.element("strong", {}, summary.system->title);
          page.text(": " + system_line(section, summary));
        });
    });
  });
}

void draw_absent(Markup& page, const ReportOptions& options) {
  if (options.absent.empty()) return;
  page.element("p", {{"class", "note"}}, kAbsentTitle);
  page.element("ul", {}, [&] {
    for (const std::string& run : options.absent) page.element("li", {}, run);
  });
}

void draw_origin(Markup& page, std::span<const Section> sections, const ReportOptions& options) {
  const auto entry = [&](std::string_view name, std::string_view tag, const std::string& value) {
    if (value.empty()) return;
    page.element("dt", {}, name);
    page.element("dd", {}, [&] { page.element(tag, {}, value); });
  };
  const std::string trained_with = fmt::format("{}", fmt::join(commits(sections), ", "));
  if (options.command.empty() && options.machine.empty() && trained_with.empty()) return;
  page.element("h2", {}, "How to get these numbers again");
  page.element("dl", {}, [&] {
    entry("Command line", "pre", options.command);
    entry("Machine", "span", options.machine);
    entry("Commit", "code", trained_with);
  });
}

}  // namespace

std::string html_report(std::span<const Section> sections, const ReportOptions& options) {
  Markup page;
  const std::string title = report_title(sections);
  page.raw("<!DOCTYPE html>\n");
  page.element("html", {{"lang", "en"}}, [&] {
    page.element("head", {}, [&] {
      page.leaf("meta", {{"charset", "utf-8"}});
      page.leaf("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
      page.leaf("meta", {{"http-equiv", "Content-Security-Policy"}, {"content", kContentPolicy}});
      page.element("title", {}, title);
      page.element("style", {}, [&] { page.raw(kStyle); });
    });
    page.element("body", {}, [&] {
      page.element("main", {}, [&] {
        page.element("h1", {}, title);
        for (const Section& section : sections) draw_section(page, section, options);
        draw_absent(page, options);
        draw_origin(page, sections, options);
      });
      page.element("script", {}, [&] { page.raw(kScript); });
    });
  });
  return page.str() + "\n";
}

}  // namespace drape
