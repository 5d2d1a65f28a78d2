// Where a kernel runs. Kernels are overloaded on the tags Cpu and Cuda; on() is the only place that
// chooses, and the only place that knows whether CUDA was compiled in.
#pragma once

#include <string>
#include <utility>

#include "kernels/error.h"

struct CUstream_st;

namespace drape {

enum class Device { cpu, cuda };

/// Tag of the CPU kernels.
struct Cpu {};

/// How f32 matrix products are computed on tensor cores: exact, or with factors rounded to TF32 (10
/// bits of fraction), sums in f32 either way.
enum class Math { f32, tf32 };

/// Tag of the CUDA kernels; every launch goes to its stream (a cudaStream_t).
struct Cuda {
  CUstream_st* stream = nullptr;
  Math math = Math::f32;
};

/// Why the device cannot be used, in a few words; "" if it can. Defined in CUDA builds only.
std::string cuda_problem();

/// The tag whose stream carries the process's work. Error saying cuda_problem(). Defined in CUDA
/// builds only.
Cuda current_cuda();

/// Whether CUDA kernels were compiled in.
#ifdef DRAPE_CUDA
inline constexpr bool kCudaBuilt = true;
#else
inline constexpr bool kCudaBuilt = false;
#endif

/// How CUDA computes products in f32 from now on; f32 at first.
void set_cuda_math(Math math);

/// Calls f with the tag of `device`. A binary built without CUDA never instantiates f(Cuda).
template <class F>
decltype(auto) on(Device device, F&& f) {
  if constexpr (kCudaBuilt) {
    if (device == Device::cuda) return std::forward<F>(f)(current_cuda());
  } else if (device == Device::cuda) {
    throw Error("device: expected cpu, got cuda, which this binary was built without");
  }
  return std::forward<F>(f)(Cpu{});
}

}  // namespace drape
