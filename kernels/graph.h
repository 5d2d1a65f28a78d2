// Work that a device is asked for again and again: recorded once, then asked for as a whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace drape::kernels {

/// Everything that some work asked of the device, in a form in which asking costs one call.
class Graph;

/// What a graph does.
struct GraphContent {
  std::int64_t kernels = 0;        // those of the vendor's libraries included
  std::vector<std::string> names;  // of launches of our own, and of calls of libraries, in order
};

/// Records `work`, of which nothing is done yet. Blocks of device memory that it takes are the
/// graph's as long as that lives. Error if the device cannot record it, if it waits for the device,
/// or if it keeps a block. Like all functions on Cuda, defined in CUDA builds only.
std::shared_ptr<const Graph> record_graph(Cuda cuda, const std::function<void()>& work);
void launch_graph(Cuda cuda, const Graph& graph);
const GraphContent& content_of(Cuda cuda, const Graph& graph);

/// Notes the name of what is asked of the device, for whoever records it. Not copied.
void note_work(const char* name);

/// Work that is the same every time it is done, but for what lies in device memory.
class Repeated {
 public:
  /// Does `work`.
  template <class Work>
  void run(Cpu, Work&& work) {
    work();
  }
  /// The first time does it, so that all that happens once is behind it; the second time records
  /// it, and from then on launches what was recorded. Where that cannot be, does it every time.
  template <class Work>
  void run(Cuda cuda, Work&& work) {
    if (graph_ == nullptr && ++runs_ == 2) record(cuda, work);
    if (graph_ != nullptr) return launch_graph(cuda, *graph_);
    work();
  }

  /// What was recorded; none if nothing was.
  const std::optional<GraphContent>& content() const { return content_; }
  /// Why nothing could be recorded; "" if that was not tried, or worked.
  const std::string& problem() const { return problem_; }

 private:
  void record(Cuda cuda, const std::function<void()>& work);

  std::int64_t runs_ = 0;
  std::shared_ptr<const Graph> graph_;
  std::optional<GraphContent> content_;
  std::string problem_;
};

}  // namespace drape::kernels
