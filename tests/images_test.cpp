// Images to be classified: PNG, IDX, folders of them, and their size.
#include "data/images.h"

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "data/idx.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/fuzz/png_chunks.h"

namespace {

namespace fuzz = drape::fuzz;
using drape::GreyImage;
using drape::NamedImage;
using drape::tests::Bytes;
using drape::tests::error_of;
using drape::tests::TemporaryFolder;
using drape::tests::write_bytes;

// A PNG as libpng writes it.
Bytes png(std::uint32_t height, std::uint32_t width, std::uint32_t format, const Bytes& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = height;
  image.width = width;
  image.format = format;
  REQUIRE(pixels.size() == PNG_IMAGE_SIZE(image));
  png_alloc_size_t size = 0;
  REQUIRE(png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr) != 0);
  Bytes bytes(size);
  REQUIRE(png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr) !=
          0);
  return bytes;
}

const Bytes kPixels{0, 64, 128, 255, 7, 90};

std::string refusal(const Bytes& bytes) {
  return error_of([&] { drape::parse_png(bytes, "x.png"); });
}

}  // namespace

TEST_CASE("a grey PNG is read pixel by pixel, colours by their luma, transparency on black") {
  const GreyImage grey = drape::parse_png(png(2, 3, PNG_FORMAT_GRAY, kPixels), "x");
  CHECK(grey.height == 2);
  CHECK(grey.width == 3);
  CHECK(grey.pixels == kPixels);
  const GreyImage colours =
      drape::parse_png(png(1, 2, PNG_FORMAT_RGB, {255, 255, 255, 90, 90, 90}), "x");
  CHECK(colours.pixels == Bytes{255, 90});
  // 0.299 R + 0.587 G + 0.114 B.
  const Bytes mixed{255, 0, 0, 0, 255, 0, 0, 0, 255, 128, 172, 95, 15, 11, 31};
  CHECK(drape::parse_png(png(1, 5, PNG_FORMAT_RGB, mixed), "x").pixels ==
        Bytes{76, 150, 29, 150, 14});
  const GreyImage transparent = drape::parse_png(png(1, 2, PNG_FORMAT_GA, {200, 0, 200, 255}), "x");
  CHECK(transparent.pixels == Bytes{0, 200});
}

TEST_CASE("colours that are nearly grey keep every tone of grey") {
  Bytes pixels, greys;
  for (int tone = 0; tone < 255; ++tone) {
    const auto grey = static_cast<std::uint8_t>(tone);
    pixels.insert(pixels.end(), {grey, grey, static_cast<std::uint8_t>(tone + 1)});
    greys.push_back(grey);
  }
  CHECK(drape::parse_png(png(1, 255, PNG_FORMAT_RGB, pixels), "x").pixels == greys);
}

TEST_CASE("an image that its pixels do not fill is refused") {
  const GreyImage cut{4000, 4000, {1, 2}}, none{};
  CHECK_THROWS_WITH(drape::png_of(cut),
                    "png: expected an image of height * width pixels, got 4000x4000 of 2 pixels");
  CHECK_THROWS_AS(drape::data_uri(none), drape::Error);
  CHECK_THROWS_AS(drape::resized(cut, 3), drape::Error);
  CHECK_THROWS_AS(drape::resized(none, 3), drape::Error);
  CHECK_THROWS_AS(drape::batch_of(std::vector{cut}), drape::Error);
  CHECK_THROWS_WITH(drape::resized({1, 1, {7}}, 0),
                    "resized: expected a side of at least 1 pixel, got 0");
}

TEST_CASE("a PNG of 16 bits that says nothing of its scale is read as one of 8 bits") {
  Bytes pixels;  // one row: its filter, then every value twice
  pixels.push_back(0);
  for (const std::uint8_t value : kPixels) pixels.insert(pixels.end(), {value, value});
  uLongf size = compressBound(pixels.size());
  Bytes data(size);
  REQUIRE(compress(data.data(), &size, pixels.data(), pixels.size()) == Z_OK);
  data.resize(size);
  Bytes file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  const auto chunk = [&](const std::string& type, const Bytes& content) {
    file.insert(file.end(), {0, 0, 0, static_cast<std::uint8_t>(content.size())});
    file.insert(file.end(), type.begin(), type.end());
    file.insert(file.end(), content.begin(), content.end());
    file.insert(file.end(), {0, 0, 0, 0});
  };
  chunk("IHDR", {0, 0, 0, 6, 0, 0, 0, 1, 16, 0, 0, 0, 0});
  chunk("IDAT", data);
  chunk("IEND", {});
  fuzz::correct_checksums(file);
  CHECK(drape::parse_png(file, "x.png").pixels == kPixels);
}

TEST_CASE("every truncation and every flipped bit of a PNG is refused or gives an image") {
  const Bytes whole = png(2, 3, PNG_FORMAT_GRAY, kPixels);
  for (std::size_t size = 0; size + 12 < whole.size(); ++size) {  // the last chunk is empty
    CAPTURE(size);
    CHECK_THAT(refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}),
               ContainsSubstring("png: expected a"));
  }
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1 << bit % 8));
    refused += refusal(flipped).empty() ? 0 : 1;
  }
  CHECK(refused > 4 * static_cast<int>(whole.size()));
}

TEST_CASE("a PNG that says it is huge is refused before memory is taken") {
  const auto claiming = [](const Bytes& side) {
    Bytes bytes = png(2, 3, PNG_FORMAT_GRAY, kPixels);
    std::copy(side.begin(), side.end(), bytes.begin() + 16);  // in the first chunk
    std::copy(side.begin(), side.end(), bytes.begin() + 20);
    fuzz::correct_checksums(bytes);
    return refusal(bytes);
  };
  CHECK_THAT(claiming({0, 1, 0, 0}), ContainsSubstring("at most 16777216 pixels in 'x.png'"));
  CHECK_THAT(claiming({0, 0, 16, 0}),
             ContainsSubstring("a whole PNG image of 4096x4096 in 'x.png', got"));
}

TEST_CASE("an IDX file of so many images that their names would fill memory is refused") {
  std::vector<std::int64_t> shape{(1 << 20) + 1, 1, 1};
  Bytes bytes = drape::idx_header(shape);
  bytes.resize(bytes.size() + static_cast<std::size_t>(shape[0]));
  CHECK_THAT(error_of([&] { drape::parse_images(bytes, "x"); }),
             ContainsSubstring("at most 1048576 images in 'x', got 1048577"));
}

TEST_CASE("a path that no system takes is an Error like any other") {
  CHECK_THAT(error_of([] { drape::read_images(std::string(5000, 'x')); }),
             ContainsSubstring("cannot open"));
}

TEST_CASE("a batch is of images of one size") {
  const std::vector<GreyImage> images{{1, 2, {0, 255}}, {1, 2, {51, 102}}};
  const drape::Tensor batch = drape::batch_of(images);
  CHECK(batch.shape() == drape::Shape{2, 1, 2, 1});
  CHECK(batch.to_vector<float>() == std::vector<float>{0.0f, 1.0f, 0.2f, 0.4f});
  CHECK_THAT(error_of([] {
               const std::vector<GreyImage> two{{1, 2, {0, 255}}, {2, 1, {0, 0}}};
               drape::batch_of(two);
             }),
             ContainsSubstring("expected all of 1x2 pixels, got 2x1"));
}

TEST_CASE("images come from files, folders and IDX, by name") {
  const TemporaryFolder folder;
  write_bytes(folder / "b.png", png(2, 3, PNG_FORMAT_GRAY, kPixels));
  drape::write_idx(folder / "a-ubyte", std::vector<std::int64_t>{2, 1, 3}, kPixels);
  drape::write_idx(folder / "a-idx1-ubyte", std::vector<std::int64_t>{6}, kPixels);  // labels
  write_bytes(folder / "notes.txt", drape::tests::bytes("no image"));
  const std::vector<NamedImage> all = drape::read_images(folder.path());
  REQUIRE(all.size() == 3);
  CHECK(all[0].name == (folder / "a-ubyte[0]").string());
  CHECK(all[1].image.pixels == Bytes{255, 7, 90});
  CHECK(all[2].name == (folder / "b.png").string());
  CHECK(drape::read_images(folder / "b.png").size() == 1);
  CHECK_THAT(error_of([&] { drape::read_images(folder / "notes.txt"); }),
             ContainsSubstring("notes.txt"));
  drape::write_idx(folder / "none", std::vector<std::int64_t>{0, 1, 3}, {});
  CHECK_THAT(error_of([&] { drape::read_images(folder / "none"); }),
             ContainsSubstring("expected at least one image"));
  write_bytes(folder / "photo.jpg", Bytes{0xff, 0xd8, 0xff, 0xe0});
  CHECK_THAT(error_of([&] { drape::read_images(folder / "photo.jpg"); }),
             ContainsSubstring("a JPEG image"));
  CHECK_THAT(error_of([&] { drape::read_images(folder / "none.png"); }),
             ContainsSubstring("none.png"));
  std::filesystem::create_directory(folder / "empty");
  CHECK_THAT(error_of([&] { drape::read_images(folder / "empty"); }),
             ContainsSubstring("expected PNG or IDX files"));
}

TEST_CASE("an image is resized by means: a mean stays, and so does an image of that size") {
  const GreyImage image{2, 2, {0, 100, 200, 40}};
  CHECK(drape::resized(image, 2).pixels == image.pixels);
  CHECK(drape::resized(image, 1).pixels == Bytes{85});
  CHECK(drape::resized(image, 4).pixels ==
        Bytes{0, 0, 100, 100, 0, 0, 100, 100, 200, 200, 40, 40, 200, 200, 40, 40});
  CHECK(drape::resized({1, 3, {30, 60, 90}}, 2).pixels == Bytes{40, 80, 40, 80});
}
