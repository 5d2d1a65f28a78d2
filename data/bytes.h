// The same memory as text and as bytes: files come as strings, pixels as std::uint8_t.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace drape {

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace drape
