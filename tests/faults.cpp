#include "tests/faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace drape::tests {
namespace {

std::atomic<int> calls_left{0};  // that succeed
std::atomic<int> failures_left{0}, failures{0};
std::atomic<Call> failing_call{Call::open};
std::atomic<int> failure{0};

// Whether this call is to fail; then errno is set.
bool fails(Call call) {
  if (failures_left == 0 || failing_call != call) return false;
  if (calls_left > 0) {
    --calls_left;
    return false;
  }
  --failures_left;
  ++failures;
  errno = failure;
  return true;
}

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

Fault::Fault(Call call, int n, int error, int more) {
  failing_call = call;
  failure = error;
  calls_left = n - 1;
  failures = 0;
  failures_left = 1 + more;
}

Fault::~Fault() {
  failures_left = 0;
}

bool Fault::struck() const {
  return failures > 0;
}

}  // namespace drape::tests

using drape::tests::Call;
using drape::tests::fails;
using drape::tests::next;

// These stand before the C library's of the same names.
extern "C" {

int open(const char* path, int flags, ...) {
  static auto* const real = next<int(const char*, int, ...)>("open");
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list more;
    va_start(more, flags);
    mode = static_cast<mode_t>(va_arg(more, int));
    va_end(more);
  }
  return fails(Call::open) ? -1 : real(path, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t count) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  return fails(Call::write) ? -1 : real(file, bytes, count);
}

int fsync(int file) {
  static auto* const real = next<int(int)>("fsync");
  return fails(Call::fsync) ? -1 : real(file);
}

int close(int file) {
  static auto* const real = next<int(int)>("close");
  if (!fails(Call::close)) return real(file);
  const int error = errno;
  real(file);  // closed all the same, as Linux does
  errno = error;
  return -1;
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  return fails(Call::rename) ? -1 : real(from, to);
}

void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  static auto* const real = next<void*(size_t, size_t)>("aligned_alloc");
  return fails(Call::allocate) ? nullptr : real(alignment, bytes);
}
}
