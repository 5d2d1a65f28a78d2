// Images to be classified, wherever they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/png.h"

namespace drape {

struct NamedImage {
  std::string name;  // as it was given, or found: "shirts/1.png", "t10k-images-idx3-ubyte.gz[17]"
  GreyImage image;
};

/// The images of a file, IDX (plain or gzip) or PNG, of a folder's files of these kinds in the
/// order of their names, labels left out, or of standard input for "-". Error: what is not there,
/// neither of the two, or damaged; a folder without images.
std::vector<NamedImage> read_images(const std::filesystem::path& path);

/// The same for the content of a file called `name`.
std::vector<NamedImage> parse_images(std::span<const std::uint8_t> bytes, const std::string& name);

/// Images of one size as a network takes them: [N,H,W,1], 0 ... 1. Error: of several sizes, none,
/// or one that is not whole.
Tensor batch_of(std::span<const GreyImage> images);

/// The image as `side` x `side` pixels: every pixel the mean of what it covers. Error unless side
/// is at least 1, and the image whole.
GreyImage resized(const GreyImage& image, std::int64_t side);

}  // namespace drape
