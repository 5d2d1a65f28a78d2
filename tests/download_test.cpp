// Downloads, from a server within the test: data/download.h.
#include "data/download.h"

#include <chrono>

#include "core/digest.h"
#include "core/file.h"
#include "data/bytes.h"
#include "tests/http_server.h"

namespace drape {
namespace {

using tests::http_ok;
using tests::HttpServer;
using tests::TemporaryFolder;

const std::string kBody = "one hundred percent cotton";

Download request(const std::string& url, const std::filesystem::path& target) {
  return {
      .url = url, .target = target, .bytes = kBody.size(), .sha256 = sha256_hex(bytes_of(kBody))};
}

// The error of downloading kBody from the url. Nothing may come of it, least of all a broken file.
std::string download_error(const std::string& url, const Patience& patience = {}) {
  const tests::ScopedVariable no_proxy("no_proxy", "*");
  const TemporaryFolder folder;
  const std::string error =
      tests::error_of([&] { download(request(url, folder / "f"), patience); });
  CHECK(folder.entries() == 0);
  CHECK_THAT(error, ContainsSubstring(url));
  return error;
}

TEST_CASE("a download gives the file and replaces the old one") {
  const tests::ScopedVariable no_proxy("no_proxy", "*");
  const TemporaryFolder folder;
  const HttpServer server(http_ok(kBody));
  for (int time = 0; time < 2; ++time) {
    download(request(server.url(), folder / "f"));
    CHECK(read_file(folder / "f", 1000) == kBody);
    CHECK(folder.entries() == 1);
  }
}

TEST_CASE("a download that is not what was expected gives an error and no file") {
  const HttpServer missing("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\noops");
  CHECK_THAT(download_error(missing.url()), ContainsSubstring("404"));
  const HttpServer other(http_ok("one hundred percent Cotton"));
  CHECK_THAT(download_error(other.url()), ContainsSubstring("SHA-256"));
  const HttpServer shorter(http_ok(kBody.substr(1)));
  CHECK_THAT(download_error(shorter.url()), ContainsSubstring("got 25"));
  const HttpServer longer(http_ok(kBody + "!"));
  CHECK_THAT(download_error(longer.url()), ContainsSubstring("got more"));
  const HttpServer endless("HTTP/1.0 200 OK\r\n\r\n" + std::string(1'000'000, ' '));
  CHECK_THAT(download_error(endless.url()), ContainsSubstring("got more"));
}

TEST_CASE("a download that breaks off gives an error and no file") {
  const std::string answer = http_ok(kBody);
  const HttpServer cut(answer.substr(0, answer.size() - 5));
  CHECK_THAT(download_error(cut.url()), ContainsSubstring("5 bytes remaining"));
  const HttpServer silent("");
  CHECK_THAT(download_error(silent.url()), ContainsSubstring("Empty reply"));
  const HttpServer stalled(answer.substr(0, answer.size() - 5), HttpServer::Ending::silence);
  const auto start = std::chrono::steady_clock::now();
  CHECK_THAT(download_error(stalled.url(), {.stall = std::chrono::seconds(1)}),
             ContainsSubstring("too slow"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(15));
}

TEST_CASE("a download from nowhere or by another protocol gives an error and no file") {
  CHECK_THAT(download_error("http://127.0.0.1:1"), ContainsSubstring("connect"));
  CHECK_THAT(download_error("file:///etc/hostname"), ContainsSubstring("rotocol"));
  const HttpServer elsewhere("HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\n\r\n");
  CHECK_THAT(download_error(elsewhere.url()), ContainsSubstring("rotocol"));
}

TEST_CASE("a failed download keeps the old file, and one into no folder fails") {
  const tests::ScopedVariable no_proxy("no_proxy", "*");
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "old");
  const HttpServer wrong(http_ok("something else of 26 bytes"));
  CHECK_THAT(tests::error_of([&] { download(request(wrong.url(), folder / "f")); }),
             ContainsSubstring("SHA-256"));
  CHECK(read_file(folder / "f", 1000) == "old");
  const HttpServer right(http_ok(kBody));
  CHECK_THAT(tests::error_of([&] { download(request(right.url(), folder / "no/f")); }),
             ContainsSubstring("No such file"));
}

}  // namespace
}  // namespace drape
