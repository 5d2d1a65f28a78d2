// Names for profilers: ranges of NVTX, which Nsight shows above the kernels that are launched in
// them.
#pragma once

#include "kernels/backend.h"

namespace drape::kernels {

/// Opens and closes the innermost range of this thread. `file`: the range is named after its stem.
/// Next to nothing where no profiler listens. Defined in CUDA builds only.
void begin_range(Cuda, const char* file);
void end_range(Cuda);

/// A range from construction to destruction. Nothing on the CPU.
template <class Tag>
class TraceRange {
 public:
  TraceRange(Tag tag, const char* file) : tag_(tag) { begin_range(tag_, file); }
  ~TraceRange() { end_range(tag_); }
  TraceRange(const TraceRange&) = delete;
  TraceRange& operator=(const TraceRange&) = delete;

 private:
  Tag tag_;
};
template <>
class TraceRange<Cpu> {
 public:
  TraceRange(Cpu, const char*) {}
};

}  // namespace drape::kernels
