// A web server of one answer, for tests of downloads.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "tests/data_helpers.h"

namespace drape::tests {

/// Answers every request on a port of its own with the same bytes, then closes the connection, or
/// keeps it open in silence while it lives.
class HttpServer {
 public:
  enum class Ending { close, silence };

  explicit HttpServer(std::string answer, Ending ending = Ending::close)
      : answer_(std::move(answer)), ending_(ending), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_, generic, size) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    REQUIRE(::getsockname(listener_, generic, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() {
    ::shutdown(listener_, SHUT_RDWR);  // ends accept
    thread_.join();
    ::close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }

 private:
  void serve() {
    for (int client; (client = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(client)) {
      ++requests_;
      std::string request;
      char byte;
      while (!request.ends_with("\r\n\r\n") && ::read(client, &byte, 1) == 1) request += byte;
      [[maybe_unused]] const auto sent =
          ::send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (ending_ == Ending::silence) {
        while (::read(client, &byte, 1) == 1) continue;  // until the client hangs up
      }
    }
  }

  std::string answer_;
  Ending ending_;
  int listener_;
  int port_ = 0;
  std::atomic<int> requests_ = 0;
  std::thread thread_;
};

/// An answer of status 200 that announces the body's size.
inline std::string http_ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace drape::tests
