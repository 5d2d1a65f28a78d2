#include "data/images.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <span>
#include <system_error>

#include "core/check.h"
#include "core/file.h"
#include "data/bytes.h"
#include "data/idx.h"

namespace drape {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFileBytes = std::size_t{1} << 30;
constexpr std::int64_t kMostImages = 1 << 20;  // a name each: those of one pixel would cost most

void append_idx(std::span<const std::uint8_t> bytes, const std::string& name,
                std::vector<NamedImage>& images) {
  const Idx idx = parse_idx(bytes, name);
  DRAPE_CHECK(idx.shape.size() == 2 || idx.shape.size() == 3,
              "images: expected IDX of images [N,H,W] or of one [H,W] in '{}', got {} dimensions",
              name, idx.shape.size());
  const bool single = idx.shape.size() == 2;
  const std::int64_t height = idx.shape[single ? 0 : 1], width = idx.shape[single ? 1 : 2];
  const std::int64_t count = single ? 1 : idx.shape[0];
  DRAPE_CHECK(height > 0 && width > 0, "images: expected images with pixels in '{}', got {}x{}",
              name, height, width);
  DRAPE_CHECK(count > 0, "images: expected at least one image in '{}', got none", name);
  DRAPE_CHECK(count <= kMostImages, "images: expected at most {} images in '{}', got {}",
              kMostImages, name, count);
  auto pixels = idx.values.begin();
  for (std::int64_t i = 0; i < count; ++i, pixels += height * width) {
    images.push_back({single ? name : fmt::format("{}[{}]", name, i),
                      {height, width, {pixels, pixels + height * width}}});
  }
}

void append(std::span<const std::uint8_t> bytes, const std::string& name,
            std::vector<NamedImage>& images) {
  if (is_png(bytes))
    images.push_back({name, parse_png(bytes, name)});
  else
    append_idx(bytes, name, images);
}

bool has_images(const fs::path& path) {
  const std::string name = path.filename().string();
  const auto ends = [&](std::string_view end) { return name.ends_with(end); };
  if (ends("idx1-ubyte") || ends("idx1-ubyte.gz")) return false;  // labels
  return ends(".png") || ends(".PNG") || ends("-ubyte") || ends("-ubyte.gz") || ends(".idx");
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files = entries_of(folder);
  std::erase_if(files, [](const fs::path& file) { return !has_images(file); });
  DRAPE_CHECK(!files.empty(), "images: expected PNG or IDX files in '{}', got none",
              folder.string());
  return files;
}

std::string read_standard_input() {
  std::string content;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof(buffer), stdin)) {
    content.append(buffer, count);
    DRAPE_CHECK(content.size() <= kMostFileBytes,
                "images: expected at most {} bytes on standard input, got more", kMostFileBytes);
  }
  DRAPE_CHECK(std::ferror(stdin) == 0, "images: cannot read standard input: {}",
              std::generic_category().message(errno));
  return content;
}

// Calls add(j, part) for every pixel j of an axis of `extent` of which pixel i of `side` covers a
// part. Returns the sum of the parts.
template <class Add>
double each_covered(std::int64_t i, std::int64_t extent, std::int64_t side, Add&& add) {
  const auto edge = [&](std::int64_t pixel) {
    return static_cast<double>(pixel) * static_cast<double>(extent) / static_cast<double>(side);
  };
  const double begin = edge(i), end = edge(i + 1);
  for (auto j = static_cast<std::int64_t>(begin); j < extent && static_cast<double>(j) < end; ++j) {
    const auto at = static_cast<double>(j);
    add(j, std::min(end, at + 1.0) - std::max(begin, at));
  }
  return end - begin;
}

}  // namespace

std::vector<NamedImage> read_images(const fs::path& path) {
  std::vector<NamedImage> images;
  std::error_code no_folder;  // reading it as a file tells why
  if (path == "-") {
    append(bytes_of(read_standard_input()), "-", images);
  } else if (fs::is_directory(path, no_folder)) {
    for (const fs::path& file : files_of(path))
      append(bytes_of(read_file(file, kMostFileBytes)), file.string(), images);
  } else {
    append(bytes_of(read_file(path, kMostFileBytes)), path.string(), images);
  }
  return images;
}

std::vector<NamedImage> parse_images(std::span<const std::uint8_t> bytes, const std::string& name) {
  std::vector<NamedImage> images;
  append(bytes, name, images);
  return images;
}

Tensor batch_of(std::span<const GreyImage> images) {
  DRAPE_CHECK(!images.empty(), "images: expected at least one, got none");
  const std::int64_t height = images.front().height, width = images.front().width;
  std::vector<float> elements;
  for (const GreyImage& image : images) {
    DRAPE_CHECK(image.height == height && image.width == width,
                "images: expected all of {}x{} pixels, got {}x{}", height, width, image.height,
                image.width);
    check_whole("images", image);
    for (const std::uint8_t pixel : image.pixels)
      elements.push_back(static_cast<float>(pixel) / 255.0f);
  }
  return Tensor::from<float>({std::ssize(images), height, width, 1}, elements);
}

GreyImage resized(const GreyImage& image, std::int64_t side) {
  DRAPE_CHECK(side >= 1, "resized: expected a side of at least 1 pixel, got {}", side);
  check_whole("resized", image);
  if (image.height == side && image.width == side) return image;
  const auto columns = static_cast<std::size_t>(side);
  std::int64_t shrunk = -1;  // the row of the image that `narrow` holds
  std::vector<double> narrow(columns);
  GreyImage result{side, side, {}};
  for (std::int64_t i = 0; i < side; ++i) {
    std::vector<double> row(columns);
    const double height = each_covered(i, image.height, side, [&](std::int64_t y, double part) {
      const std::uint8_t* pixels = image.pixels.data() + y * image.width;
      for (std::size_t j = 0; j < columns && y != shrunk; ++j) {
        narrow[j] = 0.0;
        const double width =
            each_covered(static_cast<std::int64_t>(j), image.width, side,
                         [&](std::int64_t x, double share) { narrow[j] += share * pixels[x]; });
        narrow[j] /= width;
      }
      shrunk = y;
      for (std::size_t j = 0; j < columns; ++j) row[j] += part * narrow[j];
    });
    for (const double value : row)
      result.pixels.push_back(static_cast<std::uint8_t>(std::lround(value / height)));
  }
  return result;
}

}  // namespace drape
