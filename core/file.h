// Whole files, read and written so that a crash, a full disk or a kill never leaves half a file
// behind.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace drape {

/// Replaces the file at `path` by `content`: writes a temporary beside it, fsyncs, renames, fsyncs
/// the folder. After a crash the path holds the old or the new content, whole. The folder must
/// exist and, to be synced, be readable. On failure the old file stays (the new one, if it is the
/// folder that cannot be synced), the temporary is removed, and an Error names the step, the path
/// and the system's reason. A process killed while writing may leave its temporary,
/// "<name>.tmp-<process>-<count>". Symbolic links are followed; a device or a pipe is written to.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// The whole content of a file. Error if it cannot be read or holds more than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes);

/// What lies in a folder, in the order of names; nothing if there is no such folder. Error with the
/// system's reason.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

/// A folder that one process works in at a time, as long as this lives. Error if another has it.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int descriptor_;
};

/// Creates the folder and its parents where missing. Error with the system's reason.
void make_folder(const std::filesystem::path& folder);

}  // namespace drape
