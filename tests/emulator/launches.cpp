// Which kernels ran in which test, for tests/tools/kernel_coverage.sh.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "tests/emulator/emulator.h"

namespace drape::emulator {
namespace {

// The first argument of this program: of a test binary, the name of the test.
std::string first_argument() {
  std::ifstream arguments("/proc/self/cmdline");
  std::string argument;
  for (int i = 0; i < 2; ++i) std::getline(arguments, argument, '\0');
  return argument;
}

}  // namespace

void note_launch(const void* kernel) {
  static std::set<const void*> known;
  static const char* const path = std::getenv("DRAPE_LAUNCH_LOG");
  if (path == nullptr || !known.insert(kernel).second) return;
  Dl_info info{};
  if (dladdr(kernel, &info) == 0) return;
  if (std::FILE* file = std::fopen(path, "a")) {
    std::fprintf(file, "%016zx\t%s\n",
                 static_cast<std::size_t>(static_cast<const char*>(kernel) -
                                          static_cast<const char*>(info.dli_fbase)),
                 first_argument().c_str());
    std::fclose(file);
  }
}

}  // namespace drape::emulator
