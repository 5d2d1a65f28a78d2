#include <cuda_runtime_api.h>

#include <atomic>

#include "kernels/cuda.cuh"
#include "kernels/vendor_library.cuh"

namespace drape {
namespace {

std::atomic<Math> math = Math::f32;

// Never launched.
__global__ void probe() {}

std::string look_for_device() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0) return "there is no NVIDIA driver";
    const auto version = [](int v) {
      return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
    };
    return "the NVIDIA driver supports CUDA " + version(driver) + ", CUDA " + version(runtime) +
           " is needed";
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
    return "there is no CUDA device";
  if (status != cudaSuccess) return std::string("CUDA says: ") + cudaGetErrorString(status);
  cudaFuncAttributes attributes{};
  const cudaError_t loaded =
      cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(probe));
  if (loaded == cudaSuccess) return kernels::vendor_library_problem();
  int major = 0, minor = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
  if (loaded == cudaErrorNoKernelImageForDevice || loaded == cudaErrorInvalidDeviceFunction ||
      loaded == cudaErrorUnsupportedPtxVersion) {
    return "this binary has no kernels for the device's compute capability " +
           std::to_string(major) + "." + std::to_string(minor);
  }
  return std::string("the device cannot be used: ") + cudaGetErrorString(loaded);
}

Cuda open_stream() {
  if (const std::string problem = cuda_problem(); !problem.empty())
    throw Error("device: expected cuda to work, but " + problem);
  kernels::check_device();
  Cuda cuda{};
  kernels::check_cuda(cudaStreamCreateWithFlags(&cuda.stream, cudaStreamNonBlocking),
                      "cudaStreamCreateWithFlags");
  return cuda;
}

}  // namespace

std::string cuda_problem() {
  static const std::string problem = look_for_device();
  return problem;
}

Cuda current_cuda() {
  static const Cuda cuda = open_stream();
  return {cuda.stream, math};
}

void set_cuda_math(Math wanted) {
  math = wanted;
}

void kernels::check_device() {
  int device = 0;
  check_cuda(cudaGetDevice(&device), "cudaGetDevice");
  if (device != 0) {
    throw Error("device: expected the thread's CUDA device to be 0, got " + std::to_string(device));
  }
}

}  // namespace drape
