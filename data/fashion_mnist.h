// Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747): finding, downloading and verifying
// it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
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
  std::string origin;      // the folder, or how it was drawn: one line for reports
};

/// The user's cache: drape/fashion-mnist in $XDG_CACHE_HOME or in ~/.cache; none without a home.
std::optional<std::filesystem::path> fashion_mnist_cache();

/// The folder to load without any download: `given` (--data), else $DRAPE_DATA, else the cache if
/// it holds all four files with their official digests. In each folder a file may be plain or .gz.
/// Error: a folder named by `given` or $DRAPE_DATA lacks a file; nothing else is tried then.
std::optional<std::filesystem::path> find_fashion_mnist(
    const std::optional<std::filesystem::path>& given = {});

/// Loads the four files of a folder; where a file is there twice, the .gz counts. Any data set of
/// this form is accepted (28x28, N >= 1, ten classes); `official` says whether it is Fashion-MNIST.
/// Error: a missing or malformed file, another image size, counts that do not match, a label
/// above 9.
DataSet load_fashion_mnist(const std::filesystem::path& folder);

/// Downloads into the folder, which is created, what is not there with its official digest.
void download_fashion_mnist(const std::filesystem::path& folder,
                            std::string_view url = kFashionMnistUrl);

/// find_fashion_mnist, and failing that a download of 31 MB into the cache.
/// Error: one line that says what was looked for, where, and how to get it.
DataSet find_or_download_fashion_mnist(const std::optional<std::filesystem::path>& given = {},
                                       std::string_view url = kFashionMnistUrl);

/// Writes the four files, plain, into the folder, which is created.
/// Error: the folder holds one of them as .gz, which would hide what is written.
void write_idx(const DataSet& data, const std::filesystem::path& folder);

}  // namespace drape
