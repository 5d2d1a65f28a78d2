#include "examples/report/markup.h"

#include <fmt/format.h>

namespace drape {

namespace {

// What stands for the character in markup; empty if it stands for itself.
std::string_view entity(char c) {
  if (c == '&') return "&amp;";
  if (c == '<') return "&lt;";
  if (c == '>') return "&gt;";
  if (c == '"') return "&quot;";
  if (c == '\'') return "&#39;";
  const auto code = static_cast<unsigned char>(c);
  const bool forbidden = (code < 0x20 && c != '\t' && c != '\n' && c != '\r') || code == 0x7f;
  return forbidden ? "\uFFFD" : "";
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    const std::string_view written = entity(c);
    if (written.empty())
      escaped += c;
    else
      escaped += written;
  }
  return escaped;
}

std::string coordinate(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

void Markup::open(std::string_view tag, Attributes attributes, std::string_view end) {
  written_ += '<';
  written_ += tag;
  for (const Attribute& attribute : attributes)
    written_ += fmt::format(" {}=\"{}\"", attribute.name, escape_markup(attribute.value));
  written_ += end;
}

void Markup::close(std::string_view tag) {
  written_ += fmt::format("</{}>", tag);
}

}  // namespace drape
