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

/// Error naming `op` unless the image has pixels, height * width of them.
void check_whole(const char* op, const GreyImage& image);

/// True if the bytes begin as a PNG does.
bool is_png(std::span<const std::uint8_t> bytes);

/// The image in greys: colours by their luma, 0.299 R + 0.587 G + 0.114 B (Rec. ITU-R BT.601), what
/// is transparent on black. `name` is for messages. Error: no PNG, damaged, cut short, or more than
/// 2^24 pixels.
GreyImage parse_png(std::span<const std::uint8_t> bytes, std::string_view name);

/// The image as a PNG; and as a URI that holds it, for pages that stand alone. Error unless it is
/// whole.
std::vector<std::uint8_t> png_of(const GreyImage& image);
std::string data_uri(const GreyImage& image);

}  // namespace drape
