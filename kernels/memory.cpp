#include "kernels/memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/parallel.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace drape::kernels {
namespace {

constexpr std::size_t kAlignment = 64;

// Under AddressSanitizer every block comes from malloc, so that use after release is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeepBlocks = false;
#else
constexpr bool kKeepBlocks = true;
#endif

std::size_t rounded(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
}

class Blocks {
 public:
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    void* block = nullptr;
    if (auto& kept = free_[bytes]; !kept.empty()) {
      block = kept.back();
      kept.pop_back();
    } else {
      block = std::aligned_alloc(kAlignment, bytes);
      if (block == nullptr) {
        drop_free();
        block = std::aligned_alloc(kAlignment, bytes);
      }
    }
    if (block == nullptr) {
      throw Error("memory: expected " + std::to_string(bytes) + " bytes, got none; " +
                  std::to_string(use_.bytes) + " are in use");
    }
    use_.bytes += static_cast<std::int64_t>(bytes);
    use_.blocks += 1;
    use_.peak_bytes = std::max(use_.peak_bytes, use_.bytes);
    return block;
  }

  void give_back(void* block, std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    use_.bytes -= static_cast<std::int64_t>(bytes);
    use_.blocks -= 1;
    const auto entry = free_.find(bytes);  // made by take()
    if (!kKeepBlocks || entry == free_.end()) return std::free(block);
    try {
      entry->second.push_back(block);
    } catch (...) {
      std::free(block);
    }
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    drop_free();
  }

  MemoryUse use() {
    const std::lock_guard lock(mutex_);
    return use_;
  }

  ~Blocks() { drop_free(); }

 private:
  void drop_free() {
    for (auto& [bytes, kept] : free_) {
      for (void* block : kept) std::free(block);
      kept.clear();
    }
  }

  std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<void*>> free_;
  MemoryUse use_;
};

Blocks& blocks() {
  static Blocks instance;
  return instance;
}

}  // namespace

void* allocate(Cpu, std::size_t bytes) {
  return blocks().take(rounded(bytes));
}

void release(Cpu, void* block, std::size_t bytes) noexcept {
  blocks().give_back(block, rounded(bytes));
}

void trim(Cpu) {
  blocks().trim();
#if defined(__GLIBC__)
  ::malloc_trim(0);  // free() alone keeps what lies below a block in use
#endif
}

void fill_zero(Cpu, void* block, std::size_t bytes) {
  parallel_ranges(
      static_cast<std::int64_t>(bytes), 1 << 18, [&](std::int64_t begin, std::int64_t end) {
        std::memset(static_cast<char*>(block) + begin, 0, static_cast<std::size_t>(end - begin));
      });
}

void copy(Cpu, void* to, const void* from, std::size_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
}

void copy_to_device(Cpu cpu, void* to, const void* from, std::size_t bytes) {
  copy(cpu, to, from, bytes);
}

void copy_to_host(Cpu cpu, void* to, const void* from, std::size_t bytes) {
  copy(cpu, to, from, bytes);
}

void synchronize(Cpu) {}

MemoryUse memory_use(Cpu) {
  return blocks().use();
}

}  // namespace drape::kernels
