#include "data/images.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <utility>

#include "core/check.h"
#include "core/file.h"
#include "data/bytes.h"
#include "data/idx.h"

namespace drape {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;

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
  auto pixels = idx.values.begin();
  for (std::int64_t i = 0; i < count; ++i, pixels += height * width) {
    images.push_back({single ? name : fmt::format("{}[{}]", name, i),
                      {height, width, {pixels, pixels + height * width}}});
  }
}

void append(const std::string& content, const std::string& name, std::vector<NamedImage>& images) {
  const std::span<const std::uint8_t> bytes = bytes_of(content);
  if (is_png(bytes))
    images.push_back({name, parse_png(bytes, name)});
  else
    append_idx(bytes, name, images);
}

bool has_images(const fs::path& path) {
  const std::string name = path.filename().string();
  const auto ends = [&](std::string_view end) { return name.ends_with(end); };
  return ends(".png") || ends(".PNG") || ends("-ubyte") || ends("-ubyte.gz") || ends(".idx");
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (has_images(entry.path())) files.push_back(entry.path());
  DRAPE_CHECK(!files.empty(), "images: expected PNG or IDX files in '{}', got none",
              folder.string());
  std::ranges::sort(files);
  return files;
}

std::string read_standard_input() {
  std::string content;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof(buffer), stdin)) {
    content.append(buffer, count);
    DRAPE_CHECK(content.size() <= kMaxFileBytes,
                "images: expected at most {} bytes on standard input, got more", kMaxFileBytes);
  }
  return content;
}

// Where pixel i of `side` begins on an axis of `extent` pixels.
double edge(std::int64_t i, std::int64_t extent, std::int64_t side) {
  return static_cast<double>(i) * static_cast<double>(extent) / static_cast<double>(side);
}

// to[i] = the mean of from[j] over what pixel i of `side` covers of `extent`; elements lie
// `from_step` and `to_step` apart.
void shrink(const double* from, std::int64_t extent, std::int64_t from_step, double* to,
            std::int64_t side, std::int64_t to_step) {
  for (std::int64_t i = 0; i < side; ++i) {
    const double begin = edge(i, extent, side), end = edge(i + 1, extent, side);
    double sum = 0.0;
    for (auto j = static_cast<std::int64_t>(begin); j < extent && static_cast<double>(j) < end;
         ++j) {
      const auto at = static_cast<double>(j);
      sum += from[j * from_step] * (std::min(end, at + 1.0) - std::max(begin, at));
    }
    to[i * to_step] = sum / (end - begin);
  }
}

}  // namespace

std::vector<NamedImage> read_images(const fs::path& path) {
  std::vector<NamedImage> images;
  if (path == "-") {
    append(read_standard_input(), "-", images);
  } else if (fs::is_directory(path)) {
    for (const fs::path& file : files_of(path))
      append(read_file(file, kMaxFileBytes), file.filename().string(), images);
  } else {
    append(read_file(path, kMaxFileBytes), path.filename().string(), images);
  }
  return images;
}

GreyImage resized(const GreyImage& image, std::int64_t side) {
  if (image.height == side && image.width == side) return image;
  const std::vector<double> pixels(image.pixels.begin(), image.pixels.end());
  std::vector<double> rows(static_cast<std::size_t>(image.height * side));
  for (std::int64_t y = 0; y < image.height; ++y)
    shrink(pixels.data() + y * image.width, image.width, 1, rows.data() + y * side, side, 1);
  std::vector<double> square(static_cast<std::size_t>(side * side));
  for (std::int64_t x = 0; x < side; ++x)
    shrink(rows.data() + x, image.height, side, square.data() + x, side, side);
  GreyImage result{side, side, {}};
  for (const double value : square)
    result.pixels.push_back(static_cast<std::uint8_t>(std::lround(value)));
  return result;
}

}  // namespace drape
