// Configuration files, as --config reads them: the file is one in memory.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "examples/command_line.h"
#include "tests/fuzz/read_within.h"

static const int file = memfd_create("config", 0);
static const std::string path = "/proc/self/fd/" + std::to_string(file);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) abort();
  const std::array arguments{"program", "--config", path.c_str()};
  return drape::fuzz::read_within((std::size_t{256} << 10) + 64 * size, [&] {
    drape::parse_training_command(arguments.size(), arguments.data(), "",
                                  {.architecture = drape::Architecture::enhanced});
  });
}
