// Where a kernel runs. Kernels are overloaded on the tags Cpu and Cuda; on() is the only place that
// chooses, and the only place that knows whether CUDA was compiled in.
#pragma once

#include <utility>

#include "kernels/error.h"

struct CUstream_st;

namespace drape {

enum class Device { cpu, cuda };

/// Tag of the CPU kernels.
struct Cpu {};

/// Tag of the CUDA kernels; every launch goes to its stream (a cudaStream_t).
struct Cuda {
  CUstream_st* stream;
};

/// The tag whose stream carries this thread's work. Defined in CUDA builds only.
Cuda current_cuda();

/// Calls f with the tag of `device`. A binary built without CUDA never instantiates f(Cuda).
template <class F>
decltype(auto) on(Device device, F&& f) {
#ifdef DRAPE_CUDA
  if (device == Device::cuda) return std::forward<F>(f)(current_cuda());
#else
  if (device == Device::cuda) {
    throw Error("device: expected cpu, got cuda, which this binary was built without");
  }
#endif
  return std::forward<F>(f)(Cpu{});
}

}  // namespace drape
