// Where the tests find programs, golden files and sources: as they were built, or in a bundle that
// was taken to another machine.
#pragma once

#include <filesystem>
#include <string>

namespace drape::tests {

/// The programs stand beside the tests.
inline std::filesystem::path program_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

inline std::filesystem::path golden_folder() {
  const std::filesystem::path bundled = program_folder() / "../tests/golden";
  return exists(bundled) ? bundled : std::filesystem::path(DRAPE_TEST_DATA);
}

inline std::filesystem::path source_folder() {
  return DRAPE_SOURCE_DIR;
}

/// Why a test about the checkout itself cannot run here, or "".
inline std::string no_repository() {
  return exists(source_folder() / "CMakeLists.txt") ? "" : "the sources are not here";
}

}  // namespace drape::tests
