#include "core/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/check.h"

namespace drape {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(std::string_view step, const fs::path& path, int error) {
  throw Error(fmt::format("file: cannot {} '{}': {}", step, path.string(),
                          std::generic_category().message(error)));
}

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

  // Closes now; false, with errno, if the system reports a late write error.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

int open_retrying(const fs::path& path, int flags, mode_t mode = 0) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

void write_all(const Descriptor& file, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path, errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Where symbolic links lead; the last one's target need not exist.
fs::path followed(fs::path path) {
  constexpr int kMostLinks = 40;  // as Linux
  std::error_code none;
  for (int i = 0; i < kMostLinks && fs::is_symlink(fs::symlink_status(path, none)); ++i)
    path = path.parent_path() / fs::read_symlink(path, none);
  return path;
}

// A new file beside its target, removed again unless it was renamed.
class Temporary {
 public:
  explicit Temporary(const fs::path& target)
      : target_(target), path_(target), file_(create(path_)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!renamed_) ::unlink(path_.c_str());
  }

  void write(std::string_view content) {
    write_all(file_, content, target_);
    if (::fsync(file_.get()) != 0) fail("sync", target_, errno);
    if (!file_.close()) fail("close", target_, errno);
  }

  void replace_target() {
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail("replace", target_, errno);
    renamed_ = true;
  }

 private:
  // Turns the target's path into the temporary's and opens it. O_EXCL: no other writer has this
  // file.
  static int create(fs::path& path) {
    static std::atomic<unsigned> count{0};
    const fs::path target = path;
    while (true) {
      path = target;
      path += fmt::format(".tmp-{}-{}", ::getpid(), count++);
      const int fd = open_retrying(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
      if (fd >= 0) return fd;
      if (errno != EEXIST) fail("create", target, errno);
    }
  }

  const fs::path target_;
  fs::path path_;
  Descriptor file_;
  bool renamed_ = false;
};

void sync_folder(const fs::path& folder) {
  const Descriptor descriptor(open_retrying(folder, O_RDONLY | O_DIRECTORY));
  if (descriptor.get() < 0) fail("open folder", folder, errno);
  // EINVAL: a file system that has no such thing as syncing a folder.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) fail("sync folder", folder, errno);
}

}  // namespace

void write_file_atomically(const fs::path& given, std::string_view content) {
  const fs::path path = followed(given);
  std::error_code none;
  const fs::file_status status = fs::status(path, none);
  if (fs::exists(status) && !fs::is_regular_file(status)) {  // a device, a pipe: nothing to replace
    Descriptor file(open_retrying(path, O_WRONLY));
    if (file.get() < 0) fail("open", path, errno);
    write_all(file, content, path);
    if (!file.close()) fail("close", path, errno);
    return;
  }
  Temporary temporary(path);
  temporary.write(content);
  temporary.replace_target();
  sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

std::string read_file(const fs::path& path, std::size_t max_bytes) {
  const Descriptor file(open_retrying(path, O_RDONLY));
  if (file.get() < 0) fail("open", path, errno);
  std::string content;
  // Only a regular file's size is known, and it may change: room to begin with, no more.
  struct stat status = {};
  if (::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode))
    content.reserve(std::min(static_cast<std::size_t>(status.st_size), max_bytes));
  std::array<char, 1 << 16> buffer;
  while (true) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path, errno);
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(count));
    DRAPE_CHECK(content.size() <= max_bytes, "file: expected at most {} bytes in '{}', got more",
                max_bytes, path.string());
  }
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    entries.push_back(at->path());
  if (error && error != std::errc::no_such_file_or_directory)
    fail("read folder", folder, error.value());
  std::ranges::sort(entries);
  return entries;
}

FolderLock::FolderLock(const fs::path& folder)
    : descriptor_(open_retrying(folder, O_RDONLY | O_DIRECTORY)) {
  if (descriptor_ < 0) fail("open folder", folder, errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);  // other errors: a file system without locks
  throw Error(fmt::format("file: expected a folder that no other process works in, got '{}'",
                          folder.string()));
}

FolderLock::~FolderLock() {
  ::close(descriptor_);
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail("create folder", folder, error.value());
}

}  // namespace drape
