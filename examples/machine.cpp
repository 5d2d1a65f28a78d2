#include "examples/machine.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <string_view>
#include <thread>

namespace drape {
namespace {

// The text after "key :" on the first line of a file under /proc that begins with key; "" if none.
std::string field(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t value = line.find_first_not_of(" \t", line.find(':') + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

}  // namespace

std::string describe_machine() {
  std::string text = field("/proc/cpuinfo", "model name");
  if (!text.empty()) text += ", ";
  text += fmt::format("{} cores", std::thread::hardware_concurrency());
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) {
    text += fmt::format(", {:.0f} GiB",
                        static_cast<double>(pages) * static_cast<double>(page) / (1 << 30));
  }
  return text;
}

std::int64_t peak_memory_bytes() {
  const std::string resettable = field("/proc/self/status", "VmHWM");  // "123456 kB"
  if (!resettable.empty()) return std::stoll(resettable) * 1024;
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * std::int64_t{1024};
}

void reset_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << "5";  // see proc(5)
}

}  // namespace drape
