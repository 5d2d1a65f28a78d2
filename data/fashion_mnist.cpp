#include "data/fashion_mnist.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/digest.h"
#include "core/file.h"
#include "data/bytes.h"
#include "data/download.h"
#include "data/idx.h"

namespace drape {
namespace {

namespace fs = std::filesystem;

struct Fingerprint {
  std::size_t bytes;
  std::string_view sha256;
};

struct OfficialFile {
  std::string_view name;  // of the plain file; the compressed one adds .gz
  Fingerprint gzip, plain;
};

constexpr OfficialFile kTrainImages = {
    "train-images-idx3-ubyte",
    {26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
    {47040016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"}};
constexpr OfficialFile kTrainLabels = {
    "train-labels-idx1-ubyte",
    {29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
    {60008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"}};
constexpr OfficialFile kTestImages = {
    "t10k-images-idx3-ubyte",
    {4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
    {7840016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"}};
constexpr OfficialFile kTestLabels = {
    "t10k-labels-idx1-ubyte",
    {5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"},
    {10008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}};
constexpr std::array kFiles = {kTrainImages, kTrainLabels, kTestImages, kTestLabels};

// Those of a part, or all.
std::span<const OfficialFile> official_files(std::optional<DataPart> part) {
  const std::span<const OfficialFile> all = kFiles;
  if (!part) return all;
  return *part == DataPart::train ? all.first(2) : all.last(2);
}

// The four compressed files, for messages.
std::string gzip_names() {
  std::string names;
  for (const OfficialFile& file : kFiles)
    names += fmt::format("{}{}.gz", names.empty() ? "" : ", ", file.name);
  return names;
}

fs::path plain_path(const fs::path& folder, const OfficialFile& file) {
  return folder / file.name;
}

fs::path gzip_path(const fs::path& folder, const OfficialFile& file) {
  return folder / fmt::format("{}.gz", file.name);
}

bool is_there(const fs::path& path) {
  std::error_code ignored;  // what cannot be looked at is not there
  return fs::exists(path, ignored);
}

// The file as it is in the folder: the .gz first.
std::optional<fs::path> locate(const fs::path& folder, const OfficialFile& file) {
  for (const fs::path& path : {gzip_path(folder, file), plain_path(folder, file)}) {
    if (is_there(path)) return path;
  }
  return std::nullopt;
}

// Does the folder hold the official file?
bool is_official(const fs::path& folder, const OfficialFile& file) {
  const auto path = locate(folder, file);
  if (!path) return false;
  const auto& [bytes, sha256] = *path == plain_path(folder, file) ? file.plain : file.gzip;
  std::error_code ignored;
  return fs::file_size(*path, ignored) == bytes &&
         sha256_hex(bytes_of(read_file(*path, bytes))) == sha256;
}

// Would shape and values make the official file?
bool is_official(std::span<const std::int64_t> shape, std::span<const std::uint8_t> values,
                 const OfficialFile& file) {
  const auto header = idx_header(shape);
  if (header.size() + values.size() != file.plain.bytes) return false;
  Sha256 digest;
  digest.update(header);
  digest.update(values);
  return digest.hex() == file.plain.sha256;
}

using ImageShape = std::array<std::int64_t, 3>;
using LabelShape = std::array<std::int64_t, 1>;

ImageShape image_shape(const LabelledImages& part) {
  return {part.size(), part.height, part.width};
}
LabelShape label_shape(const LabelledImages& part) {
  return {part.size()};
}

bool is_official(const DataSet& data) {
  // Labels first: of any other data set they are the few bytes that tell.
  return is_official(label_shape(data.test), data.test.labels, kTestLabels) &&
         is_official(label_shape(data.train), data.train.labels, kTrainLabels) &&
         is_official(image_shape(data.test), data.test.pixels, kTestImages) &&
         is_official(image_shape(data.train), data.train.pixels, kTrainImages);
}

std::optional<fs::path> environment_path(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return fs::path(value);
}

// The folder the user names, checked; `source` is how.
fs::path named_folder(const fs::path& folder, std::string_view source,
                      std::optional<DataPart> part) {
  std::error_code ignored;
  DRAPE_CHECK(fs::is_directory(folder, ignored),
              "fashion_mnist: expected the folder of {} at '{}', got {}", source, folder.string(),
              is_there(folder) ? "a file" : "nothing there");
  std::vector<std::string_view> missing;
  for (const OfficialFile& file : official_files(part)) {
    if (!locate(folder, file)) missing.push_back(file.name);
  }
  DRAPE_CHECK(missing.empty(),
              "fashion_mnist: expected {} (or .gz) in '{}' of {}, got no such file",
              fmt::join(missing, ", "), folder.string(), source);
  return folder;
}

std::optional<fs::path> named_folder(const std::optional<fs::path>& given,
                                     std::optional<DataPart> part) {
  if (given) return named_folder(*given, "--data", part);
  if (const auto folder = environment_path("DRAPE_DATA"))
    return named_folder(*folder, "DRAPE_DATA", part);
  return std::nullopt;
}

}  // namespace

std::optional<fs::path> fashion_mnist_cache() {
  auto root = environment_path("XDG_CACHE_HOME");
  // Relative ones are invalid: XDG Base Directory Specification.
  if (!root || root->is_relative()) {
    root = environment_path("HOME");
    if (!root) return std::nullopt;
    *root /= ".cache";
  }
  return *root / "drape" / "fashion-mnist";
}

std::optional<fs::path> find_fashion_mnist(const std::optional<fs::path>& given,
                                           std::optional<DataPart> part) {
  if (auto folder = named_folder(given, part)) return folder;
  auto cache = fashion_mnist_cache();
  const auto holds = [&](const OfficialFile& file) { return is_official(*cache, file); };
  if (cache && std::ranges::all_of(official_files(part), holds)) return cache;
  return std::nullopt;
}

DataSet load_fashion_mnist(const fs::path& folder) {
  DataSet data;
  data.train = load_fashion_mnist(folder, DataPart::train);
  data.test = load_fashion_mnist(folder, DataPart::test);
  data.official = is_official(data);
  return data;
}

LabelledImages load_fashion_mnist(const fs::path& folder, DataPart part) {
  const auto path = [&](const OfficialFile& file) {
    // Where neither is there, read_idx says that the plain one is missing.
    return locate(folder, file).value_or(plain_path(folder, file));
  };
  const std::span<const OfficialFile> files = official_files(part);
  const fs::path image_path = path(files[0]), label_path = path(files[1]);
  Idx images = read_idx(image_path), labels = read_idx(label_path);
  DRAPE_CHECK(images.shape.size() == 3 && images.shape[0] >= 1 && images.shape[1] == kImageSide &&
                  images.shape[2] == kImageSide,
              "fashion_mnist: expected images [N,{},{}] in '{}', got [{}]", kImageSide, kImageSide,
              image_path.string(), fmt::join(images.shape, ","));
  DRAPE_CHECK(labels.shape.size() == 1 && labels.shape[0] == images.shape[0],
              "fashion_mnist: expected labels [{}], one for each image, in '{}', got [{}]",
              images.shape[0], label_path.string(), fmt::join(labels.shape, ","));
  const auto highest = std::max_element(labels.values.begin(), labels.values.end());
  DRAPE_CHECK(*highest < kClasses,
              "fashion_mnist: expected labels from 0 to {} in '{}', got {} for image {}",
              kClasses - 1, label_path.string(), *highest, highest - labels.values.begin());
  return {kImageSide, kImageSide, std::move(images.values), std::move(labels.values)};
}

void download_fashion_mnist(const fs::path& folder, std::string_view url) {
  make_folder(folder);
  for (const OfficialFile& file : kFiles) {
    if (is_official(folder, file)) continue;
    download({.url = fmt::format("{}/{}.gz", url, file.name),
              .target = gzip_path(folder, file),
              .bytes = file.gzip.bytes,
              .sha256 = std::string(file.gzip.sha256)});
  }
}

fs::path find_or_download_fashion_mnist(const std::optional<fs::path>& given,
                                        std::optional<DataPart> part, std::string_view url) {
  if (const auto folder = find_fashion_mnist(given, part)) return *folder;
  const auto cache = fashion_mnist_cache();
  try {
    DRAPE_CHECK(cache, "neither XDG_CACHE_HOME nor HOME is set");
    download_fashion_mnist(*cache, url);
  } catch (const Error& error) {
    throw Error(fmt::format(
        "fashion_mnist: expected {} in the folder of --data, of DRAPE_DATA, or in '{}', got none, "
        "and the download failed ({}); fetch the four files from {} and name their folder with "
        "--data or DRAPE_DATA, or use drawn images with --synthetic",
        gzip_names(), cache ? cache->string() : "a cache folder", error.what(), url));
  }
  return *cache;
}

void write_idx(const DataSet& data, const fs::path& folder) {
  make_folder(folder);
  for (const OfficialFile& file : kFiles) {
    DRAPE_CHECK(!is_there(gzip_path(folder, file)), "write_idx: expected no '{}', got one",
                gzip_path(folder, file).string());
  }
  write_idx(plain_path(folder, kTrainImages), image_shape(data.train), data.train.pixels);
  write_idx(plain_path(folder, kTrainLabels), label_shape(data.train), data.train.labels);
  write_idx(plain_path(folder, kTestImages), image_shape(data.test), data.test.pixels);
  write_idx(plain_path(folder, kTestLabels), label_shape(data.test), data.test.labels);
}

}  // namespace drape
