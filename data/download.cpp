#include "data/download.h"

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <exception>
#include <memory>

#include "core/check.h"
#include "core/digest.h"
#include "core/file.h"
#include "data/bytes.h"

namespace drape {
namespace {

constexpr long kStallBytesPerSecond = 1000;

struct Cleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, Cleanup>;

Handle make_handle() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  Handle handle(global == CURLE_OK ? curl_easy_init() : nullptr);
  DRAPE_CHECK(handle != nullptr, "download: expected libcurl to start, got a failure");
  return handle;
}

// Where the bytes go while they come: at most `expected` of them.
struct Sink {
  std::size_t expected;
  std::string content = {};
  bool overflow = false;
  std::exception_ptr failure = {};
};

// libcurl's callback: taking less than was offered ends the transfer. No exception may cross it.
std::size_t receive(const char* data, std::size_t size, std::size_t count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  sink.overflow = size * count > sink.expected - sink.content.size();
  if (sink.overflow) return 0;
  try {
    sink.content.append(data, size * count);
    return size * count;
  } catch (...) {
    sink.failure = std::current_exception();
    return 0;
  }
}

template <class T>
void set(const Handle& handle, CURLoption option, T value) {
  const CURLcode code = curl_easy_setopt(handle.get(), option, value);
  DRAPE_CHECK(code == CURLE_OK, "download: expected libcurl to know option {}, got: {}",
              static_cast<int>(option), curl_easy_strerror(code));
}

void configure(const Handle& handle, const std::string& url, const Patience& patience) {
  set(handle, CURLOPT_URL, url.c_str());
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");  // for redirections too
  set(handle, CURLOPT_FOLLOWLOCATION, 1L);
  set(handle, CURLOPT_MAXREDIRS, 5L);
  set(handle, CURLOPT_FAILONERROR, 1L);  // a status of 400 or above is a failure
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_USERAGENT, "drape");
  set(handle, CURLOPT_CONNECTTIMEOUT, static_cast<long>(patience.connect.count()));
  set(handle, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  set(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(patience.stall.count()));
}

}  // namespace

void download(const Download& request, const Patience& patience) {
  const std::string goal =
      fmt::format("download: expected {} bytes from {}", request.bytes, request.url);
  Sink sink{request.bytes};
  std::array<char, CURL_ERROR_SIZE> message = {};
  const Handle handle = make_handle();
  configure(handle, request.url, patience);
  set(handle, CURLOPT_ERRORBUFFER, message.data());
  set(handle, CURLOPT_WRITEFUNCTION, &receive);
  set(handle, CURLOPT_WRITEDATA, static_cast<void*>(&sink));

  const CURLcode code = curl_easy_perform(handle.get());
  if (sink.failure) std::rethrow_exception(sink.failure);
  DRAPE_CHECK(!sink.overflow, "{}, got more", goal);
  DRAPE_CHECK(code == CURLE_OK, "{}, got: {}", goal,
              message[0] != '\0' ? message.data() : curl_easy_strerror(code));
  DRAPE_CHECK(sink.content.size() == request.bytes, "{}, got {}", goal, sink.content.size());
  const std::string digest = sha256_hex(bytes_of(sink.content));
  DRAPE_CHECK(digest == request.sha256, "{} with SHA-256 {}, got {}", goal, request.sha256, digest);
  write_file_atomically(request.target, sink.content);
}

}  // namespace drape
