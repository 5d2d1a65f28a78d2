// The words and numbers of the report, not yet escaped: what Markdown and HTML have in common.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examples/report/summary.h"

namespace drape {

/// A fraction as a percentage with two decimals: 0.923 -> "92.30".
std::string percent(double fraction);

/// Its mean in percent, with the deviation if there are several: "92.30 ± 0.12".
std::string percent(const Statistic& fraction);

/// A difference of fractions in points, always signed: "+0.12", "−0.34", "0.00".
std::string points(double difference);

/// Digits in groups of three: 421642 -> "421,642".
std::string grouped_digits(std::int64_t value);

/// The head of one column.
struct Column {
  std::string group;  // above the titles of neighbours with the same one; may be empty
  std::string title;
};

/// Cells as text, all of the same number of columns.
struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // one per system of the section
};

/// The comparison: no published columns beside synthetic runs, test accuracy only under held_out.
Table comparison_table(const Section& section);

/// The title of the whole report; names synthetic data if any run used them.
std::string report_title(std::span<const Section> sections);

/// The section in one or two sentences: the best system, and the distance to the published numbers.
std::string headline(const Section& section);

/// What a reader must know to read the section: protocol, data, what was measured. One sentence or
/// two each.
std::vector<std::string> explanations(const Section& section);

/// What the figures of a section show.
std::string curve_caption(const Section& section);
std::string twin_caption(const Section& section);
std::string confusion_caption(const Section& section);

/// What stands above the runs that have no result.
inline constexpr std::string_view kAbsentTitle =
    "Not shown, for they diverged before their first epoch was done:";

/// One system in a sentence or two, without its name.
std::string system_line(const Section& section, const SystemSummary& summary);

/// The classes most often taken for another: "Most often mistaken: Shirt for Coat (98)"; empty if
/// none.
std::string worst_confusion(const Confusion& confusion, std::span<const std::string> class_names);

/// The name of a class; its number where there are no names.
std::string class_name(std::span<const std::string> class_names, std::size_t index);

}  // namespace drape
