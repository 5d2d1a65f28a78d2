// The CPU backend's threads: one pool, one loop. Work is cut into a number of tasks that depends on
// the shape alone, never on the number of threads, so that every sum is taken in the same order by
// any number of them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/host_device.h"

namespace drape::kernels {

/// Threads that parallel_for uses, the caller's included. Default: the machine's cores that this
/// process may use.
int thread_count();

/// Sets it, 1 <= count <= 1024, for all later calls. Not to be called while kernels run.
void set_thread_count(int count);

/// A function of the index, by reference: what it refers to outlives the call that it is passed to.
class Task {
 public:
  template <class F>
  Task(const F& function)
      : function_(&function),
        call_([](const void* f, std::int64_t index) { (*static_cast<const F*>(f))(index); }) {}
  void operator()(std::int64_t index) const { call_(function_, index); }

 private:
  const void* function_;
  void (*call_)(const void* function, std::int64_t index);
};

/// Calls task(0) ... task(count - 1), each once, on any thread, and returns when all are done. The
/// first exception of a task is rethrown. A call from inside a task runs its tasks in place.
void parallel_for(std::int64_t count, const Task& task);

/// Range [begin, end) of the items 0 ... items-1 that belongs to task `index` of `tasks` nearly
/// equal ones.
struct Range {
  std::int64_t begin, end;
  DRAPE_HOST_DEVICE std::int64_t size() const { return end - begin; }
  friend bool operator==(const Range&, const Range&) = default;
};
inline Range part(std::int64_t items, std::int64_t tasks, std::int64_t index) {
  return {items * index / tasks, items * (index + 1) / tasks};
}

/// Calls body(begin, end) over parts of 0 ... items-1 of at least `grain` items each, at most 64 of
/// them: for elementwise work, where the cut never changes a result.
template <class Body>
void parallel_ranges(std::int64_t items, std::int64_t grain, Body&& body) {
  const std::int64_t tasks = std::clamp<std::int64_t>(items / grain, 1, 64);
  if (tasks == 1) return body(std::int64_t{0}, items);
  parallel_for(tasks, [&](std::int64_t index) {
    const Range range = part(items, tasks, index);
    body(range.begin, range.end);
  });
}

}  // namespace drape::kernels
