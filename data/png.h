// PNG images (ISO/IEC 15948), by libpng.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drape {

/// One image, 0 black to 255 white.
struct GreyImage {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // [height,width]
};

/// True if the bytes begin as a PNG does.
bool is_png(std::span<const std::uint8_t> bytes);

/// The image in greys: colours by their luminance, what is transparent on black. `name` is for
/// messages. Error: no PNG, damaged, cut short, or more than 2^24 pixels.
GreyImage parse_png(std::span<const std::uint8_t> bytes, std::string_view name);

/// The image as a PNG; and as a URI that holds it, for pages that stand alone.
std::vector<std::uint8_t> png_of(const GreyImage& image);
std::string data_uri(const GreyImage& image);

}  // namespace drape
