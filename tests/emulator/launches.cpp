// Which kernels ran: one name a line in the file that DRAPE_LAUNCH_LOG names, each once a process.
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

#include "kernels/cuda.cuh"

namespace drape::kernels {

void note_launch(const char* name) {
  static std::set<std::string> known;
  static const char* const path = std::getenv("DRAPE_LAUNCH_LOG");
  if (path == nullptr || !known.insert(name).second) return;
  if (std::FILE* file = std::fopen(path, "a")) {
    std::fprintf(file, "%s\n", name);
    std::fclose(file);
  }
}

}  // namespace drape::kernels
