// Compiled without sanitizers: it is one.
#include "tests/emulator/race.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <vector>

#include "tests/emulator/emulator.h"

namespace drape::emulator {
namespace race {
namespace {

constexpr unsigned kMostReports = 10;

// When and by whom a byte was touched.
struct Access {
  std::uint32_t block = 0;  // counted through all launches, from 1; 0: never touched
  std::uint16_t barriers = 0, warp_barriers = 0;
  std::uint16_t thread = 0;
  bool atomic = false;
  std::uintptr_t code = 0;

  bool happened() const { return block != 0; }
  bool same_moment(const Access& other) const {
    return block == other.block && barriers == other.barriers &&
           warp_barriers == other.warp_barriers && thread == other.thread && atomic == other.atomic;
  }
};

// The last write of a byte, and two reads since.
struct Byte {
  Access write, read, other_read;
};

struct Region {
  std::uintptr_t begin = 0, end = 0;
  Byte* bytes = nullptr;
  Memory kind = Memory::global;
};

struct State {
  bool watching = false, in_atomic = false;
  std::uint32_t block = 0, first_block_of_launch = 1;
  std::uint16_t barriers = 0, thread = 0;
  std::vector<std::uint16_t> warp_barriers;
  std::map<std::uintptr_t, Region> regions;
  Region last;
  unsigned races = 0;
};
State& state() {
  static State instance;
  return instance;
}

// Whether what happened before is over for the thread that runs now.
bool ordered(const Access& before, const Access& now, Memory kind) {
  if (!before.happened()) return true;
  if (before.block < state().first_block_of_launch) return true;
  if (before.block != now.block) return kind == Memory::shared;
  if (before.thread == now.thread || before.barriers != now.barriers) return true;
  return before.thread / 32 == now.thread / 32 && before.warp_barriers != now.warp_barriers;
}

void print_line(std::uintptr_t code) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(code), &info) == 0) return;
  char command[1024], line[512] = "";
  const auto offset = code - 1 - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  std::snprintf(command, sizeof(command), "addr2line -e '%s' 0x%zx 2>/dev/null", info.dli_fname,
                static_cast<std::size_t>(offset));
  if (std::FILE* output = popen(command, "r")) {
    if (std::fgets(line, sizeof(line), output) != nullptr) std::fprintf(stderr, " at %s", line);
    pclose(output);
  }
}

void print(const char* what, const Access& access) {
  std::fprintf(stderr, "  %s%s by thread %u of block %u", access.atomic ? "atomic " : "", what,
               access.thread, access.block - state().first_block_of_launch);
  print_line(access.code);
}

// A program with a race ends with a failure, whatever its tests say.
void count_race() {
  constexpr int kExitCode = 3;
  if (++state().races > 1) return;
  std::atexit([] {
    std::fflush(nullptr);
    std::_Exit(kExitCode);
  });
}

void report(const char* what_before, const Access& before, const char* what, const Access& now) {
  count_race();
  if (state().races > kMostReports) return;
  state().watching = false;
  std::fprintf(stderr, "emulator: data race\n");
  print(what_before, before);
  print(what, now);
  state().watching = true;
}

void report_unwritten(const Access& now) {
  count_race();
  if (state().races > kMostReports) return;
  state().watching = false;
  std::fprintf(stderr, "emulator: shared memory is read that nobody wrote in this block\n");
  print("read", now);
  state().watching = true;
}

const Region* region_of(std::uintptr_t address, std::size_t bytes) {
  State& s = state();
  if (address >= s.last.begin && address + bytes <= s.last.end) return &s.last;
  auto above = s.regions.upper_bound(address);
  if (above == s.regions.begin()) return nullptr;
  const Region& region = (--above)->second;
  if (address + bytes > region.end) return nullptr;
  s.last = region;
  return &s.last;
}

Access access_now(bool atomic, std::uintptr_t code) {
  const State& s = state();
  return {s.block, s.barriers, s.warp_barriers[s.thread / 32], s.thread, atomic, code};
}

void write(const Region& region, std::uintptr_t address, std::size_t bytes, const Access& now) {
  bool told = false;
  for (std::size_t i = 0; i < bytes; ++i) {
    Byte& byte = region.bytes[address - region.begin + i];
    const auto check = [&](const char* what, const Access& before) {
      if (told || ordered(before, now, region.kind) || (before.atomic && now.atomic)) return;
      told = true;
      report(what, before, "write", now);
    };
    check("write", byte.write);
    check("read", byte.read);
    check("read", byte.other_read);
    byte = {now, {}, {}};
  }
}

void read(const Region& region, std::uintptr_t address, std::size_t bytes, const Access& now) {
  bool told = false;
  for (std::size_t i = 0; i < bytes; ++i) {
    Byte& byte = region.bytes[address - region.begin + i];
    if (byte.read.same_moment(now) || byte.other_read.same_moment(now)) continue;
    if (!told && !ordered(byte.write, now, region.kind)) {
      told = true;
      report("write", byte.write, "read", now);
    }
    if (!told && region.kind == Memory::shared && byte.write.block != now.block) {
      told = true;
      report_unwritten(now);
    }
    (ordered(byte.read, now, region.kind) ? byte.read : byte.other_read) = now;
  }
}

void touch(const volatile void* memory, std::size_t bytes, bool writes, std::uintptr_t code) {
  if (!state().watching || state().in_atomic) return;
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const Region* region = region_of(address, bytes);
  if (region == nullptr) return;
  const Access now = access_now(false, code);
  writes ? write(*region, address, bytes, now) : read(*region, address, bytes, now);
}

}  // namespace

void add_region(const void* memory, std::size_t bytes, Memory kind) {
  // Costs nothing until it is touched.
  void* shadow = mmap(nullptr, bytes * sizeof(Byte) + 1, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (shadow == MAP_FAILED) throw std::bad_alloc();
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  state().regions[begin] = {begin, begin + bytes, static_cast<Byte*>(shadow), kind};
  state().last = {};
}

void remove_region(const void* memory) {
  const auto found = state().regions.find(reinterpret_cast<std::uintptr_t>(memory));
  if (found == state().regions.end()) return;
  const Region& region = found->second;
  munmap(region.bytes, (region.end - region.begin) * sizeof(Byte) + 1);
  state().regions.erase(found);
  state().last = {};
}

Launch::Launch() {
  state().first_block_of_launch = state().block + 1;
  state().watching = true;
}

Launch::~Launch() {
  state().watching = false;
}

void start_block(unsigned threads) {
  ++state().block;
  state().barriers = 0;
  state().warp_barriers.assign((threads + 31) / 32, 0);
}

void select(unsigned thread) {
  state().thread = static_cast<std::uint16_t>(thread);
}

void pass_barrier() {
  ++state().barriers;
}

void pass_warp_barrier(unsigned warp) {
  ++state().warp_barriers[warp];
}

}  // namespace race

void begin_atomic(const volatile void* address, std::size_t bytes) {
  using namespace race;
  if (!state().watching) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  if (const Region* region = region_of(begin, bytes)) {
    const auto code = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
    race::write(*region, begin, bytes, access_now(true, code));
  }
  state().in_atomic = true;
}

void end_atomic() {
  race::state().in_atomic = false;
}

}  // namespace drape::emulator

// The calls that the compiler inserts.
#define DRAPE_CODE reinterpret_cast<std::uintptr_t>(__builtin_return_address(0))
#define DRAPE_ACCESS(name, bytes)                                   \
  extern "C" void __tsan_##name##read##bytes(void* memory) {        \
    drape::emulator::race::touch(memory, bytes, false, DRAPE_CODE); \
  }                                                                 \
  extern "C" void __tsan_##name##write##bytes(void* memory) {       \
    drape::emulator::race::touch(memory, bytes, true, DRAPE_CODE);  \
  }
DRAPE_ACCESS(, 1)
DRAPE_ACCESS(, 2)
DRAPE_ACCESS(, 4)
DRAPE_ACCESS(, 8)
DRAPE_ACCESS(, 16)
DRAPE_ACCESS(unaligned_, 2)
DRAPE_ACCESS(unaligned_, 4)
DRAPE_ACCESS(unaligned_, 8)
DRAPE_ACCESS(unaligned_, 16)

extern "C" {
void __tsan_read_range(void* memory, std::size_t bytes) {
  drape::emulator::race::touch(memory, bytes, false, DRAPE_CODE);
}
void __tsan_write_range(void* memory, std::size_t bytes) {
  drape::emulator::race::touch(memory, bytes, true, DRAPE_CODE);
}
// Atomics of the host code in the same files.
#define DRAPE_ATOMIC(bits, type)                                                           \
  type __tsan_atomic##bits##_load(const volatile type* memory, int) {                      \
    return __atomic_load_n(memory, __ATOMIC_SEQ_CST);                                      \
  }                                                                                        \
  void __tsan_atomic##bits##_store(volatile type* memory, type value, int) {               \
    __atomic_store_n(memory, value, __ATOMIC_SEQ_CST);                                     \
  }                                                                                        \
  type __tsan_atomic##bits##_fetch_add(volatile type* memory, type value, int) {           \
    return __atomic_fetch_add(memory, value, __ATOMIC_SEQ_CST);                            \
  }                                                                                        \
  type __tsan_atomic##bits##_fetch_sub(volatile type* memory, type value, int) {           \
    return __atomic_fetch_sub(memory, value, __ATOMIC_SEQ_CST);                            \
  }                                                                                        \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* memory, type* expected, \
                                                    type value, int, int) {                \
    return __atomic_compare_exchange_n(memory, expected, value, false, __ATOMIC_SEQ_CST,   \
                                       __ATOMIC_SEQ_CST);                                  \
  }                                                                                        \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* memory, type* expected,   \
                                                  type value, int, int) {                  \
    return __atomic_compare_exchange_n(memory, expected, value, true, __ATOMIC_SEQ_CST,    \
                                       __ATOMIC_SEQ_CST);                                  \
  }
DRAPE_ATOMIC(8, std::uint8_t)
DRAPE_ATOMIC(32, std::uint32_t)
DRAPE_ATOMIC(64, std::uint64_t)
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_init() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
}
