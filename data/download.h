// One file from the web, complete and verified or not at all (libcurl).
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

namespace drape {

struct Download {
  std::string url;               // http or https
  std::filesystem::path target;  // its folder exists
  std::size_t bytes = 0;         // exact size
  std::string sha256;            // 64 lower-case hexadecimal digits
};

struct Patience {
  std::chrono::seconds connect{15};  // until the connection stands
  std::chrono::seconds stall{30};    // with less than 1 kB/s
};

/// Fetches the url into memory, checks size and digest, then writes the target atomically. Proxies
/// are taken from the environment as curl does. Error: one line with url and reason; no file is
/// left behind and an existing target stays as it was.
void download(const Download& request, const Patience& patience = {});

}  // namespace drape
