// The emulator's scheduler: the threads of one block on one host thread. A thread runs until it
// waits; threads that never wait share one stack and cost no switch.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/emulator/device_memory.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/fiber.h"
#include "tests/emulator/order.h"
#include "tests/emulator/race.h"
#include "tests/emulator/sanitizer.h"
#include "tests/emulator/shared_memory.h"

namespace drape::emulator {

constinit thread_local Builtins builtins{};

namespace {

constexpr unsigned kLanes = 32;
constexpr std::size_t kStackBytes = (kSanitized ? 256 : 64) << 10;
constexpr std::size_t kMostDynamicShared = 227 << 10;

// One CUDA thread of the running block.
struct Thread {
  enum class State : std::uint8_t { ready, at_barrier, in_warp, done };

  uint3 index{};
  Fiber* fiber = nullptr;  // null until it starts
  State state = State::ready;
  Site site{};
  WarpOp op = WarpOp::wait;
  std::uint32_t mask = 0;
  std::uint64_t value = 0, result = 0;
  int source = 0;
  const void* given = nullptr;  // of a gather, as the next two
  void* gathered = nullptr;
  std::size_t bytes = 0;
};

std::string text_of(const uint3& v) {
  return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

std::string text_of(const Thread& thread) {
  const std::string who = "thread " + text_of(thread.index);
  if (thread.state == Thread::State::done) return who + " has returned";
  return who + " in " + thread.site.function + " at " + thread.site.file + ":" +
         std::to_string(thread.site.line);
}

bool same_place(const Thread& a, const Thread& b) {
  if (a.state != b.state || a.state == Thread::State::done) return a.state == b.state;
  return a.site.line == b.site.line &&
         (a.site.file == b.site.file || std::strcmp(a.site.file, b.site.file) == 0);
}

class Machine {
 public:
  static Machine& of_this_thread() {
    thread_local Machine machine;
    return machine;
  }

  void run(dim3 grid, dim3 block, std::size_t shared_bytes, void (*invoke)(const void*),
           const void* arguments) {
    invoke_ = invoke;
    arguments_ = arguments;
    order_ = Order::from_environment();
    builtins.grid_size = grid;
    builtins.block_size = block;
    shared_.start_launch(shared_bytes);
    // Blocks in order, or in reverse where threads are not in order.
    const bool forward = order_.of(0, 2)[0] == 0;
    const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
    for (std::uint64_t b = 0; b < blocks; ++b) {
      const std::uint64_t i = forward ? b : blocks - 1 - b;
      builtins.block = {static_cast<unsigned>(i % grid.x),
                        static_cast<unsigned>(i / grid.x % grid.y),
                        static_cast<unsigned>(i / grid.x / grid.y)};
      run_block();
    }
  }

  int wait_for_block(bool vote, const Site& site) {
    Thread& thread = threads_[current_];
    thread.state = Thread::State::at_barrier;
    thread.site = site;
    votes_ += vote;
    ++arrived_;
    release_block_if_complete();
    suspend();
    return vote_result_;
  }

  std::uint64_t wait_for_warp(WarpOp op, std::uint32_t mask, std::uint64_t value, int source,
                              const Site& site) {
    Thread& thread = threads_[current_];
    thread.state = Thread::State::in_warp;
    thread.op = op;
    thread.mask = mask;
    thread.value = value;
    thread.source = source;
    thread.site = site;
    if ((mask >> lane() & 1) == 0) fail("the calling lane is not in the mask: " + text_of(thread));
    release_warp_if_complete(current_ / kLanes, mask);
    suspend();
    return threads_[current_].result;
  }

  void gather_warp(const void* mine, std::size_t bytes, void* all, const Site& site) {
    Thread& thread = threads_[current_];
    thread.given = mine;
    thread.gathered = all;
    thread.bytes = bytes;
    wait_for_warp(WarpOp::gather, ~0u, 0, 0, site);
  }

  int lane() const { return static_cast<int>(current_ % kLanes); }

  void* shared_variable(const void* key, std::size_t bytes) {
    void* data = shared_.variable(key, bytes);
    if (data == nullptr)
      fail(
          "shared memory: expected at most 48 KiB of variables in a block, and 227 KiB with what "
          "the launch asked for");
    return data;
  }
  void* dynamic_shared_memory() {
    if (shared_.dynamic() == nullptr)
      fail("shared memory: expected a launch with dynamic shared memory");
    return shared_.dynamic();
  }

 private:
  void run_block() {
    const dim3 size = builtins.block_size;
    threads_.assign(std::size_t{size.x} * size.y * size.z, Thread{});
    for (unsigned i = 0; i < threads_.size(); ++i) {
      threads_[i].index = {i % size.x, i / size.x % size.y, i / size.x / size.y};
    }
    alive_ = static_cast<unsigned>(threads_.size());
    arrived_ = 0;
    votes_ = 0;
    ready_.clear();
    shared_.start_block();
    race::start_block(alive_);
    make_ready(order_.of(0, alive_));
    const unsigned first = ready_.front();
    ready_.pop_front();
    start(first);
    leave_to(*threads_[first].fiber);
    if (failure_ == nullptr) return;
    idle_.clear();  // the frames of all threads are abandoned
    for (const auto& fiber : fibers_) {
      fiber->reset();
      idle_.push_back(fiber.get());
    }
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  // The life of a fiber: one thread after another that needs no stack of its own.
  static void entry() {
    Machine& machine = of_this_thread();
    Fiber::entered(machine.host_);
    while (true) machine.run_thread();
  }

  void run_thread() {
    try {
      invoke_(arguments_);
    } catch (...) {
      failure_ = std::current_exception();
    }
    if (failure_ != nullptr) leave_to(host_);  // not from inside the catch block
    Fiber* const mine = running_;
    finish_thread();
    if (alive_ == 0) {
      idle_.push_back(mine);
      return leave_to(host_);
    }
    const unsigned next = take_ready();
    if (threads_[next].fiber == nullptr) {
      threads_[next].fiber = mine;  // goes on right here
      select(next);
      return;
    }
    idle_.push_back(mine);
    select(next);
    leave_to(*threads_[next].fiber);
  }

  void finish_thread() {
    Thread& thread = threads_[current_];
    thread.state = Thread::State::done;
    --alive_;
    // Lanes that waited for this one only.
    const unsigned warp = current_ / kLanes;
    for (unsigned i = warp * kLanes; i < end_of_warp(warp); ++i) {
      if (threads_[i].state != Thread::State::in_warp) continue;
      if (release_warp_if_complete(warp, threads_[i].mask)) break;
    }
    if (alive_ > 0) release_block_if_complete();
  }

  void suspend() {
    const unsigned me = current_, next = take_ready();
    if (next != me) {
      start(next);
      leave_to(*threads_[next].fiber);
      return;
    }
    select(me);
  }

  // Makes a thread the running one, with a stack if it has none yet.
  void start(unsigned thread) {
    if (threads_[thread].fiber == nullptr) {
      if (idle_.empty()) {
        fibers_.push_back(std::make_unique<Fiber>(kStackBytes, &entry));
        idle_.push_back(fibers_.back().get());
      }
      threads_[thread].fiber = idle_.back();
      idle_.pop_back();
    }
    select(thread);
  }

  void select(unsigned thread) {
    current_ = thread;
    builtins.thread = threads_[thread].index;
    threads_[thread].state = Thread::State::ready;
    race::select(thread);
  }

  void leave_to(Fiber& fiber) {
    Fiber& from = *running_;
    running_ = &fiber;
    Fiber::switch_between(from, fiber);
    running_ = &from;
  }

  unsigned take_ready() {
    if (ready_.empty()) fail_stuck();
    const unsigned next = ready_.front();
    ready_.pop_front();
    return next;
  }

  void make_ready(const std::vector<unsigned>& threads) {
    ready_.insert(ready_.end(), threads.begin(), threads.end());
  }

  void release_block_if_complete() {
    if (arrived_ < alive_) return;
    if (arrived_ < threads_.size()) fail_stuck();  // some have returned
    for (const Thread& thread : threads_) {
      if (!same_place(thread, threads_[0])) fail_stuck();
    }
    vote_result_ = votes_;
    votes_ = 0;
    arrived_ = 0;
    race::pass_barrier();
    make_ready(order_.of(0, static_cast<unsigned>(threads_.size())));
  }

  bool release_warp_if_complete(unsigned warp, std::uint32_t mask) {
    const unsigned first_lane = warp * kLanes;
    std::uint32_t members = 0;  // lanes
    for (unsigned i = first_lane; i < end_of_warp(warp); ++i) {
      if ((mask >> (i % kLanes) & 1) == 0 || threads_[i].state == Thread::State::done) continue;
      if (threads_[i].state != Thread::State::in_warp) return false;
      members |= std::uint32_t{1} << (i % kLanes);
    }
    if (members == 0) return false;
    const auto is_member = [&](unsigned lane) { return (members >> lane & 1) != 0; };
    const Thread& first = threads_[first_lane + std::countr_zero(members)];
    std::uint64_t ballot = 0;
    for (unsigned i = first_lane; i < end_of_warp(warp); ++i) {
      if (!is_member(i % kLanes)) continue;
      if (threads_[i].mask != mask || threads_[i].op != first.op) {
        fail("lanes of one warp wait for each other in different calls: " + text_of(first) + ", " +
             text_of(threads_[i]));
      }
      if (threads_[i].value != 0) ballot |= std::uint64_t{1} << (i % kLanes);
    }
    for (unsigned i = first_lane; i < end_of_warp(warp); ++i) {
      if (!is_member(i % kLanes)) continue;
      Thread& thread = threads_[i];
      thread.result = ballot;
      if (thread.op == WarpOp::gather) gather(thread, first_lane, members);
      if (thread.op != WarpOp::exchange) continue;
      const auto source = static_cast<unsigned>(thread.source);
      if (source >= kLanes || !is_member(source))
        fail("a shuffle reads a lane that takes no part: " + text_of(thread));
      thread.result = threads_[first_lane + source].value;
    }
    if (first.op == WarpOp::wait) race::pass_warp_barrier(warp);  // the others order no memory
    for (const unsigned i : order_.of(first_lane, end_of_warp(warp))) {
      if (!is_member(i % kLanes)) continue;
      threads_[i].state = Thread::State::ready;
      ready_.push_back(i);
    }
    return true;
  }

  // All lanes wait: what they give is there.
  void gather(const Thread& thread, unsigned first_lane, std::uint32_t members) {
    if (members != ~0u) fail("tensor cores want all 32 lanes: " + text_of(thread));
    for (unsigned i = 0; i < kLanes; ++i)
      std::memcpy(static_cast<std::byte*>(thread.gathered) + i * thread.bytes,
                  threads_[first_lane + i].given, thread.bytes);
  }

  unsigned end_of_warp(unsigned warp) const {
    return std::min((warp + 1) * kLanes, static_cast<unsigned>(threads_.size()));
  }

  [[noreturn]] void fail_stuck() {
    std::string text = "threads of block " + text_of(builtins.block) + " wait in different places:";
    std::vector<const Thread*> places;
    for (const Thread& thread : threads_) {
      const auto known = [&](const Thread* place) { return same_place(*place, thread); };
      if (std::ranges::none_of(places, known)) places.push_back(&thread);
    }
    for (const Thread* place : places) {
      const auto count =
          std::ranges::count_if(threads_, [&](const Thread& t) { return same_place(*place, t); });
      text += " " + std::to_string(count) + " as " + text_of(*place) + ";";
    }
    fail(text);
  }

  // Ends the launch with an Error.
  [[noreturn]] void fail(const std::string& message) {
    failure_ = std::make_exception_ptr(Error("emulator: " + message));
    leave_to(host_);
    std::abort();
  }

  void (*invoke_)(const void*) = nullptr;
  const void* arguments_ = nullptr;
  Order order_;
  SharedMemory shared_;
  std::vector<Thread> threads_;
  std::deque<unsigned> ready_;
  unsigned alive_ = 0, arrived_ = 0, current_ = 0;
  int votes_ = 0, vote_result_ = 0;
  Fiber host_;
  Fiber* running_ = &host_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  std::exception_ptr failure_;
};

void check_launch(dim3 grid, dim3 block, std::size_t shared_bytes) {
  const auto text = [](dim3 v) { return text_of(uint3{v.x, v.y, v.z}); };
  const auto outside = [](unsigned value, unsigned most) { return value < 1 || value > most; };
  if (outside(grid.x, 0x7fffffff) || outside(grid.y, 65535) || outside(grid.z, 65535))
    throw Error("emulator: expected a grid of 1 ... (2147483647,65535,65535), got " + text(grid));
  if (outside(block.x, 1024) || outside(block.y, 1024) || outside(block.z, 64) ||
      std::uint64_t{block.x} * block.y * block.z > 1024)
    throw Error("emulator: expected a block of 1 ... 1024 threads, got " + text(block));
  if (shared_bytes > kMostDynamicShared)
    throw Error("emulator: expected at most 227 KiB of dynamic shared memory, got " +
                std::to_string(shared_bytes) + " bytes");
}

}  // namespace

void launch(dim3 grid, dim3 block, std::size_t shared_bytes, void (*invoke)(const void*),
            const void* arguments) {
  check_launch(grid, block, shared_bytes);
  const DeviceMemoryAccess access;
  const race::Launch watched;
  Machine::of_this_thread().run(grid, block, shared_bytes, invoke, arguments);
}

int wait_for_block(bool vote, const Site& site) {
  return Machine::of_this_thread().wait_for_block(vote, site);
}

std::uint64_t wait_for_warp(WarpOp op, std::uint32_t mask, std::uint64_t value, int source,
                            const Site& site) {
  return Machine::of_this_thread().wait_for_warp(op, mask, value, source, site);
}

void gather_warp(const void* mine, std::size_t bytes, void* all, const Site& site) {
  Machine::of_this_thread().gather_warp(mine, bytes, all, site);
}

int lane() {
  return Machine::of_this_thread().lane();
}

void* shared_variable(const void* key, std::size_t bytes) {
  return Machine::of_this_thread().shared_variable(key, bytes);
}

void* dynamic_shared_memory() {
  return Machine::of_this_thread().dynamic_shared_memory();
}

}  // namespace drape::emulator
