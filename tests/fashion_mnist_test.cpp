// Finding, verifying and fetching Fashion-MNIST: data/fashion_mnist.h.
#include "data/fashion_mnist.h"

#include <cmath>

#include "core/file.h"
#include "data/idx.h"
#include "data/synthetic.h"
#include "tests/http_server.h"
#include "tests/skip.h"

namespace drape {
namespace {

namespace fs = std::filesystem;
using tests::Bytes;
using tests::error_of;
using tests::ScopedVariable;
using tests::TemporaryFolder;

constexpr std::array<const char*, 4> kNames = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                               "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
constexpr const char* kNowhere = "http://127.0.0.1:1";

// A user with a home, and nothing in it.
struct User {
  TemporaryFolder home;
  fs::path cache = home / ".cache/drape/fashion-mnist";
  ScopedVariable home_variable{"HOME", home.path().string()};
  ScopedVariable cache_variable{"XDG_CACHE_HOME", {}};
  ScopedVariable data_variable{"DRAPE_DATA", {}};
  ScopedVariable no_proxy{"no_proxy", "*"};
};

const DataSet& small() {
  static const DataSet data = synthetic_garments(1, 20, 10);
  return data;
}

TEST_CASE("a data set written loads again, plain and compressed") {
  const TemporaryFolder folder;
  write_idx(small(), folder / "new");
  const auto check = [&] {
    const DataSet data = load_fashion_mnist(folder / "new");
    CHECK(data.train.pixels == small().train.pixels);
    CHECK(data.train.labels == small().train.labels);
    CHECK(data.test.pixels == small().test.pixels);
    CHECK(data.test.labels == small().test.labels);
    CHECK(data.train.height == 28);
    CHECK(data.train.width == 28);
    CHECK_FALSE(data.official);
  };
  check();
  for (const std::string name : kNames) {
    const Bytes plain = tests::bytes(read_file(folder / ("new/" + name), 1 << 20));
    tests::write_bytes(folder / ("new/" + name + ".gz"), tests::gzip(plain));
    fs::remove(folder / ("new/" + name));
    check();
  }
  CHECK_THAT(error_of([&] { write_idx(small(), folder / "new"); }), ContainsSubstring(".gz"));
}

TEST_CASE("files of another shape are refused with one clear line") {
  const TemporaryFolder folder;
  const auto error_with = [&](const std::string& name, const std::vector<std::int64_t>& shape,
                              const Bytes& values) {
    write_idx(small(), folder.path());
    write_idx(folder / name, shape, values);
    const std::string error = error_of([&] { load_fashion_mnist(folder.path()); });
    CHECK_THAT(error, ContainsSubstring((folder / name).string()));
    return error;
  };
  CHECK_THAT(error_with("train-images-idx3-ubyte", {20, 32, 32}, Bytes(20 * 32 * 32)),
             ContainsSubstring("expected images [N,28,28]"));
  CHECK_THAT(error_with("train-images-idx3-ubyte", {20, 28, 32}, Bytes(20 * 28 * 32)),
             ContainsSubstring("got [20,28,32]"));
  CHECK_THAT(error_with("t10k-images-idx3-ubyte", {10}, Bytes(10)), ContainsSubstring("got [10]"));
  CHECK_THAT(error_with("t10k-images-idx3-ubyte", {0, 28, 28}, {}), ContainsSubstring("[0,28,28]"));
  CHECK_THAT(error_with("train-labels-idx1-ubyte", {19}, Bytes(19)),
             ContainsSubstring("expected labels [20], one for each image"));
  CHECK_THAT(error_with("t10k-labels-idx1-ubyte", {5, 2}, Bytes(10)), ContainsSubstring("[5,2]"));
  CHECK_THAT(error_with("t10k-labels-idx1-ubyte", {10}, {0, 1, 2, 10, 3, 4, 5, 6, 7, 8}),
             ContainsSubstring("got 10 for image 3"));
}

TEST_CASE("a named folder is used before the environment, and the environment before the cache") {
  const User user;
  CHECK(fashion_mnist_cache() == user.cache);
  CHECK(find_fashion_mnist() == std::nullopt);
  const ScopedVariable empty("DRAPE_DATA", "");  // as if it were not set
  CHECK(find_fashion_mnist() == std::nullopt);
  const fs::path given = user.home / "given", variable = user.home / "variable";
  write_idx(small(), given);
  write_idx(small(), variable);
  CHECK(find_fashion_mnist(given) == given);
  const ScopedVariable data("DRAPE_DATA", variable.string());
  CHECK(find_fashion_mnist() == variable);
  CHECK(find_fashion_mnist(given) == given);
  CHECK(find_or_download_fashion_mnist({}, {}, kNowhere) == variable);
  CHECK(find_or_download_fashion_mnist(given, {}, kNowhere) == given);
}

TEST_CASE("a named folder that is unusable is an error and nothing else is tried") {
  const User user;
  const fs::path good = user.home / "good", bad = user.home / "bad";
  write_idx(small(), good);
  const ScopedVariable data("DRAPE_DATA", good.string());
  const auto error = [&] {
    return error_of([&] { find_or_download_fashion_mnist(bad, {}, kNowhere); });
  };
  CHECK_THAT(error(), ContainsSubstring("nothing there"));
  tests::write_bytes(bad, {});
  CHECK_THAT(error(), ContainsSubstring("a file"));
  fs::remove(bad);
  write_idx(small(), bad);
  fs::remove(bad / "train-labels-idx1-ubyte");
  CHECK_THAT(error(), ContainsSubstring("expected train-labels-idx1-ubyte (or .gz) in"));
  CHECK_THAT(error(), ContainsSubstring("--data"));
  const ScopedVariable wrong("DRAPE_DATA", bad.string());
  CHECK_THAT(error_of([&] { find_fashion_mnist(); }), ContainsSubstring("DRAPE_DATA"));
  CHECK(find_fashion_mnist(good) == good);
  CHECK(find_fashion_mnist(bad, DataPart::test) == bad);
  CHECK_THAT(error_of([&] { find_fashion_mnist(bad, DataPart::train); }),
             ContainsSubstring("expected train-labels-idx1-ubyte (or .gz) in"));
  CHECK(load_fashion_mnist(bad, DataPart::test).labels == small().test.labels);
}

TEST_CASE("the cache follows the XDG rules") {
  const User user;
  {
    const ScopedVariable xdg("XDG_CACHE_HOME", "/var/cache/me");
    CHECK(fashion_mnist_cache() == "/var/cache/me/drape/fashion-mnist");
  }
  for (const char* invalid : {"", "relative"}) {
    const ScopedVariable xdg("XDG_CACHE_HOME", invalid);
    CHECK(fashion_mnist_cache() == user.cache);
  }
  const ScopedVariable home("HOME", {});
  CHECK(fashion_mnist_cache() == std::nullopt);
  CHECK_THAT(error_of([] { find_or_download_fashion_mnist({}, {}, kNowhere); }),
             ContainsSubstring("neither XDG_CACHE_HOME nor HOME"));
}

TEST_CASE("a failed download says where to put the files and names every way out") {
  const User user;
  const std::string error = error_of([] { find_or_download_fashion_mnist({}, {}, kNowhere); });
  for (const std::string text : {"train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
                                 "--data", "DRAPE_DATA", "--synthetic", kNowhere}) {
    CHECK_THAT(error, ContainsSubstring(text));
  }
  CHECK_THAT(error, ContainsSubstring(user.cache.string()));
  CHECK(fs::is_empty(user.cache));
}

TEST_CASE("the cache is not trusted with anything but the official files") {
  const User user;
  write_idx(small(), user.cache);
  CHECK(find_fashion_mnist() == std::nullopt);
  CHECK_THAT(error_of([] { find_or_download_fashion_mnist({}, {}, kNowhere); }),
             ContainsSubstring("download failed"));
  const tests::HttpServer page(tests::http_ok("<html>welcome to the hotel</html>"));
  CHECK_THAT(error_of([&] { find_or_download_fashion_mnist({}, {}, page.url()); }),
             ContainsSubstring("expected 26421880 bytes"));
  CHECK(page.requests() == 1);
}

// The folder with the official files, if the environment names one.
std::optional<fs::path> official_folder() {
  const char* folder = std::getenv("DRAPE_DATA");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return folder;
}

constexpr const char* kReason = "DRAPE_DATA does not name the folder of Fashion-MNIST";

TEST_CASE("the official files are Fashion-MNIST") {
  const auto folder = official_folder();
  if (!folder) return tests::skip(kReason);
  const DataSet data = load_fashion_mnist(*folder);
  CHECK(data.official);
  CHECK_FALSE(data.synthetic);
  CHECK(data.train.size() == 60'000);
  CHECK(data.test.size() == 10'000);
  CHECK(Bytes(data.train.labels.begin(), data.train.labels.begin() + 10) ==
        Bytes{9, 0, 0, 3, 0, 2, 7, 2, 5, 5});
  double sum = 0, squares = 0;
  for (const double pixel : data.train.pixels) sum += pixel, squares += pixel * pixel;
  const double mean = sum / 60'000 / 784,
               deviation = std::sqrt(squares / 60'000 / 784 - mean * mean);
  CHECK(mean / 255 == Approx(0.2860406));
  CHECK(deviation / 255 == Approx(0.3530242));
}

TEST_CASE("one changed pixel makes the official files another data set") {
  const auto folder = official_folder();
  if (!folder) return tests::skip(kReason);
  DataSet data = load_fashion_mnist(*folder);
  const TemporaryFolder copy;
  write_idx(data, copy.path());
  CHECK(load_fashion_mnist(copy.path()).official);
  data.train.pixels.back() ^= 1;
  write_idx(data, copy.path());
  CHECK_FALSE(load_fashion_mnist(copy.path()).official);
}

TEST_CASE("only what the cache lacks is downloaded") {
  const auto folder = official_folder();
  if (!folder || !fs::exists(*folder / "t10k-labels-idx1-ubyte.gz")) return tests::skip(kReason);
  const User user;
  const DataSet data = load_fashion_mnist(*folder);
  write_idx(data, user.cache);
  CHECK(find_fashion_mnist() == user.cache);
  const std::string labels = read_file(*folder / "t10k-labels-idx1-ubyte.gz", 10'000);
  const tests::HttpServer server(tests::http_ok(labels));
  tests::write_bytes(user.cache / "t10k-labels-idx1-ubyte", Bytes(10'008));  // damaged
  const DataSet found = load_fashion_mnist(find_or_download_fashion_mnist({}, {}, server.url()));
  CHECK(server.requests() == 1);
  CHECK(found.official);
  CHECK(found.test.labels == data.test.labels);
  CHECK(find_fashion_mnist() == user.cache);
}

}  // namespace
}  // namespace drape
