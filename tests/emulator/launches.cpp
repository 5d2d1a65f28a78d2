// Which kernels ran, for tests/tools/kernel_coverage.sh.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <set>

#include "tests/emulator/emulator.h"

namespace drape::emulator {

void note_launch(const void* kernel) {
  static std::set<const void*> known;
  static const char* const path = std::getenv("DRAPE_LAUNCH_LOG");
  if (path == nullptr || !known.insert(kernel).second) return;
  Dl_info info{};
  if (dladdr(kernel, &info) == 0) return;
  if (std::FILE* file = std::fopen(path, "a")) {
    std::fprintf(file, "%016zx\n",
                 static_cast<std::size_t>(static_cast<const char*>(kernel) -
                                          static_cast<const char*>(info.dli_fbase)));
    std::fclose(file);
  }
}

}  // namespace drape::emulator
