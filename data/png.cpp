#include "data/png.h"

#include <openssl/evp.h>
#include <png.h>

#include <algorithm>
#include <array>

#include "core/check.h"
#include "data/gzip.h"

namespace drape {
namespace {

constexpr std::uint64_t kMostPixels = 1 << 24;

// libpng's reader or writer, freed on every way out.
struct Coder : png_image {
  Coder() : png_image{} { version = PNG_IMAGE_VERSION; }
  Coder(const Coder&) = delete;
  Coder& operator=(const Coder&) = delete;
  ~Coder() { png_image_free(this); }
};

// What the first chunk of a PNG that libpng has begun to read says of its pixels: byte 24 of the
// file is the depth of a channel, byte 25 the kind of colour (PNG specification, section 11.2.2).
std::uint64_t bits_of_pixel(std::span<const std::uint8_t> png) {
  constexpr std::array<std::uint64_t, 7> kChannels{1, 1, 3, 1, 2, 1, 4};  // no 1 and no 5
  return png[24] * kChannels.at(png[25]);
}

// Of R, G and B; weights of Rec. ITU-R BT.601, in 65536ths.
std::uint8_t luma(const std::uint8_t* rgb) {
  constexpr std::uint32_t kRed = 19595, kGreen = 38470, kBlue = 7471;
  static_assert(kRed + kGreen + kBlue == 1 << 16);
  return static_cast<std::uint8_t>((kRed * rgb[0] + kGreen * rgb[1] + kBlue * rgb[2] + (1 << 15)) >>
                                   16);
}

}  // namespace

bool is_png(std::span<const std::uint8_t> bytes) {
  constexpr std::array<std::uint8_t, 8> kSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  return bytes.size() >= kSignature.size() &&
         std::equal(kSignature.begin(), kSignature.end(), bytes.begin());
}

void check_whole(const char* op, const GreyImage& image) {
  const auto pixels =
      static_cast<std::uint64_t>(image.height) * static_cast<std::uint64_t>(image.width);
  DRAPE_CHECK(image.height > 0 && image.width > 0 && image.pixels.size() == pixels,
              "{}: expected an image of height * width pixels, got {}x{} of {} pixels", op,
              image.height, image.width, image.pixels.size());
}

GreyImage parse_png(std::span<const std::uint8_t> bytes, std::string_view name) {
  Coder reader;
  DRAPE_CHECK(
      is_png(bytes) && png_image_begin_read_from_memory(&reader, bytes.data(), bytes.size()) != 0,
      "png: expected a PNG image in '{}', got {}", name,
      reader.message[0] == '\0' ? "something else" : reader.message);
  const std::uint64_t pixels = std::uint64_t{reader.width} * reader.height;
  DRAPE_CHECK(pixels <= kMostPixels, "png: expected at most {} pixels in '{}', got {}x{}",
              kMostPixels, name, reader.height, reader.width);
  DRAPE_CHECK(pixels * bits_of_pixel(bytes) / 8 / kMostDeflation <= bytes.size(),
              "png: expected a whole PNG image of {}x{} in '{}', got {} bytes", reader.height,
              reader.width, name, bytes.size());
  // Not to greys, which libpng makes by a way on which dark tones are lost.
  const bool colours = (reader.format & PNG_FORMAT_FLAG_COLOR) != 0;
  reader.format = colours ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  reader.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16 bits that say nothing of their scale: as 8 bits
  GreyImage image{reader.height, reader.width, {}};
  image.pixels.resize(PNG_IMAGE_SIZE(reader));
  const png_color black{};
  DRAPE_CHECK(png_image_finish_read(&reader, &black, image.pixels.data(), 0, nullptr) != 0,
              "png: expected a whole PNG image in '{}', got {}", name, reader.message);
  if (colours) {
    for (std::size_t i = 0; i < pixels; ++i) image.pixels[i] = luma(&image.pixels[3 * i]);
    image.pixels.resize(pixels);
  }
  return image;
}

std::vector<std::uint8_t> png_of(const GreyImage& image) {
  check_whole("png", image);
  Coder writer;
  writer.height = static_cast<png_uint_32>(image.height);
  writer.width = static_cast<png_uint_32>(image.width);
  writer.format = PNG_FORMAT_GRAY;
  const auto write = [&](void* memory, png_alloc_size_t& size) {
    DRAPE_CHECK(
        png_image_write_to_memory(&writer, memory, &size, 0, image.pixels.data(), 0, nullptr) != 0,
        "png: expected an image of {}x{} to be written, got {}", image.height, image.width,
        writer.message);
  };
  png_alloc_size_t size = 0;
  write(nullptr, size);  // asks for the size
  std::vector<std::uint8_t> bytes(size);
  write(bytes.data(), size);
  return bytes;
}

std::string data_uri(const GreyImage& image) {
  const std::vector<std::uint8_t> png = png_of(image);
  std::string code(4 * ((png.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(code.data()), png.data(),
                                     static_cast<int>(png.size()));
  code.resize(static_cast<std::size_t>(length));
  return "data:image/png;base64," + code;
}

}  // namespace drape
