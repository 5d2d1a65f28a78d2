// A writer of HTML and SVG that cannot produce an unbalanced tag or an unescaped text.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace drape {

/// The text with & < > " ' written as entities, and control characters that markup forbids as
/// U+FFFD.
std::string escape_markup(std::string_view text);

/// A number as coordinates need it: at most two decimals, no trailing zeros, never "-0".
std::string coordinate(double value);

/// name="value".
struct Attribute {
  Attribute(std::string_view attribute, std::string_view text) : name(attribute), value(text) {}
  Attribute(std::string_view attribute, double number)
      : name(attribute), value(coordinate(number)) {}

  std::string_view name;
  std::string value;
};
using Attributes = std::initializer_list<Attribute>;

/// Builds a document front to back. Elements nest as the calls do:
///   page.element("p", {{"class", "note"}}, [&] { page.text("1 < 2"); });
class Markup {
 public:
  template <std::invocable Content>
  void element(std::string_view tag, Attributes attributes, Content&& content) {
    open(tag, attributes, ">");
    content();
    close(tag);
  }

  void element(std::string_view tag, Attributes attributes, std::string_view escaped_text) {
    element(tag, attributes, [&] { text(escaped_text); });
  }

  /// <tag ... />: an element without content.
  void leaf(std::string_view tag, Attributes attributes) { open(tag, attributes, "/>"); }

  void text(std::string_view text) { written_ += escape_markup(text); }

  /// As it is. For constants of the program and finished markup only.
  void raw(std::string_view markup) { written_ += markup; }

  const std::string& str() const { return written_; }

 private:
  void open(std::string_view tag, Attributes attributes, std::string_view end);
  void close(std::string_view tag);

  std::string written_;
};

}  // namespace drape
