// Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747): finding, downloading and verifying
// it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace drape {

inline constexpr int kClasses = 10;
inline constexpr std::int64_t kImageSide = 28;
inline constexpr std::array<std::string_view, kClasses> kClassNames = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/// Where the four official files come from.
inline constexpr std::string_view kFashionMnistUrl =
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

struct LabelledImages {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // [N,H,W]
  std::vector<std::uint8_t> labels;  // [N], 0 ... kClasses - 1
  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
};

struct DataSet {
  LabelledImages train, test;
  bool official = false;   // bit for bit Fashion-MNIST: may stand beside published numbers
  bool synthetic = false;  // drawn by synthetic_garments
};

/// The user's cache: drape/fashion-mnist in $XDG_CACHE_HOME or in ~/.cache; none without a home.
std::optional<std::filesystem::path> fashion_mnist_cache();

/// A part of the data set: a file of images, and one of their labels.
enum class DataPart { train, test };

/// The folder to load without any download: `given` (--data), else $DRAPE_DATA, else the cache if
/// it holds the files with their official digests: all four, or those of one part. In each folder a
/// file may be plain or .gz.
/// Error: a folder named by `given` or $DRAPE_DATA lacks a file; nothing else is tried then.
std::optional<std::filesystem::path> find_fashion_mnist(
    const std::optional<std::filesystem::path>& given = {}, std::optional<DataPart> part = {});

/// Loads the four files of a folder; where a file is there twice, the .gz counts. Any data set of
/// this form is accepted (28x28, N >= 1, ten classes); `official` says whether it is Fashion-MNIST.
/// Error: a missing or malformed file, another image size, counts that do not match, a label
/// above 9.
DataSet load_fashion_mnist(const std::filesystem::path& folder);

/// The same of one part: the other's files are not looked at.
LabelledImages load_fashion_mnist(const std::filesystem::path& folder, DataPart part);

/// Downloads into the folder, which is created, what is not there with its official digest.
void download_fashion_mnist(const std::filesystem::path& folder,
                            std::string_view url = kFashionMnistUrl);

/// find_fashion_mnist, and failing that the cache, once all four files (31 MB) are downloaded.
/// Error: one line that says what was looked for, where, and how to get it.
std::filesystem::path find_or_download_fashion_mnist(
    const std::optional<std::filesystem::path>& given = {}, std::optional<DataPart> part = {},
    std::string_view url = kFashionMnistUrl);

/// Writes the four files, plain, into the folder, which is created.
/// Error: the folder holds one of them as .gz, which would hide what is written.
void write_idx(const DataSet& data, const std::filesystem::path& folder);

}  // namespace drape
