#include "examples/report/markdown.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "examples/report/text.h"

namespace drape {
namespace {

std::string row_markdown(const std::vector<std::string>& cells) {
  std::string row = "|";
  for (const std::string& cell : cells) row += fmt::format(" {} |", escape_markdown(cell));
  return row + "\n";
}

std::string table_markdown(const Table& table) {
  std::vector<std::string> titles;
  std::string rule = "|";
  for (const Column& column : table.columns) {
    titles.push_back(column.group.empty() ? column.title : column.group + ": " + column.title);
    rule += titles.size() == 1 ? "---|" : "---:|";
  }
  std::string text = row_markdown(titles) + rule + "\n";
  for (const auto& row : table.rows) text += row_markdown(row);
  return text;
}

std::string section_markdown(const Section& section, const ReportOptions& options) {
  std::string text =
      fmt::format("\n## {}\n\n{}\n\n{}\n", escape_markdown(section.title()),
                  escape_markdown(headline(section)), table_markdown(comparison_table(section)));
  for (const std::string& sentence : explanations(section))
    text += escape_markdown(sentence) + "\n\n";
  for (const SystemSummary& summary : section.systems) {
    text += fmt::format("- **{}**: {}", escape_markdown(summary.system->title),
                        escape_markdown(system_line(section, summary)));
    const std::string worst = worst_confusion(summary.confusion, options.class_names);
    text += worst.empty() ? "\n" : " " + escape_markdown(worst) + "\n";
  }
  return text;
}

// An indented code block: nothing in it can end it.
std::string code_block(std::string_view code) {
  std::string block = "    ";
  for (const char c : code) {
    block += c;
    if (c == '\n') block += "    ";
  }
  return block + "\n";
}

}  // namespace

std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kSpecial = "\\`*_{}[]<>#|!&~";
  std::string escaped;
  for (const char c : text) {
    if (kSpecial.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c == '\n' || c == '\r' ? ' ' : c;
  }
  return escaped;
}

std::string markdown_report(std::span<const Section> sections, const ReportOptions& options) {
  std::string text = fmt::format("# {}\n", escape_markdown(report_title(sections)));
  for (const Section& section : sections) text += section_markdown(section, options);
  if (!options.absent.empty()) text += fmt::format("\n{}\n\n", kAbsentTitle);
  for (const std::string& run : options.absent) text += fmt::format("- {}\n", escape_markdown(run));
  if (!options.machine.empty())
    text += fmt::format("\nMachine: {}\n", escape_markdown(options.machine));
  const std::string trained_with = fmt::format("{}", fmt::join(commits(sections), ", "));
  if (!trained_with.empty()) text += fmt::format("\nCommit: {}\n", escape_markdown(trained_with));
  if (!options.command.empty()) text += "\nCommand line:\n\n" + code_block(options.command);
  return text;
}

}  // namespace drape
