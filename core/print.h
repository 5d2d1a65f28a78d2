// Text on stdout or stderr.
#pragma once

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "kernels/error.h"

namespace drape {

/// Writes formatted text for people. A stream that is closed or full loses the text, never the run:
/// unlike fmt::print, which throws.
template <class... Args>
void print(std::FILE* to, fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  std::fwrite(text.data(), 1, text.size(), to);
}

/// Text that comes from files or names, as one line of a terminal: "?" for what would steer it.
inline std::string printable(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
    if (std::iscntrl(static_cast<unsigned char>(c)) != 0) c = '?';
  }
  return text;
}

/// Writes what a program was asked for to stdout. Error if it is not all written, unless whoever
/// reads wants no more.
inline void write_result(std::string_view text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if ((whole && std::fflush(stdout) == 0) || errno == EPIPE) return;
  throw Error(fmt::format("output: cannot write to standard output: {}",
                          std::generic_category().message(errno)));
}

}  // namespace drape
