// The calls of the CUDA runtime that drape makes, for the emulated device: linked in place of its
// library.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/emulator/device_memory.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/graph.h"

using namespace drape::emulator;

namespace {

// What is wrong with the device, by DRAPE_EMULATED_DEVICE = none, old-driver or unsupported; by
// default nothing.
cudaError_t emulated_status() {
  const char* text = std::getenv("DRAPE_EMULATED_DEVICE");
  const std::string device = text == nullptr ? "" : text;
  if (device == "none") return cudaErrorNoDevice;
  if (device == "old-driver") return cudaErrorInsufficientDriver;
  if (device == "unsupported") return cudaErrorNoKernelImageForDevice;
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** block, std::size_t bytes) {
  *block = allocate_device_memory(bytes);
  return *block == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaFree(void* block) {
  return block == nullptr || release_device_memory(block) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMemsetAsync(void* block, int value, std::size_t bytes, cudaStream_t stream) {
  if (!is_device_memory(block, bytes)) return cudaErrorInvalidValue;
  const auto work = [=] {
    const DeviceMemoryAccess access;
    std::memset(block, value, bytes);
  };
  recording_on(stream) ? submit(Work::memset, work) : work();
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (bytes == 0) return cudaSuccess;
  if (is_device_memory(to, bytes) != to_device || is_device_memory(from, bytes) != from_device)
    return cudaErrorInvalidValue;
  submit(Work::memcpy, [=] {
    const DeviceMemoryAccess access;
    std::memmove(to, from, bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (!recording_on(stream)) return cudaSuccess;
  spoil_recording();
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t cudaDeviceSynchronize() {
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  return cudaSuccess;
}

// Everything is done at once, but for what one of them records: a name is all that there is.
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  static std::uintptr_t count = 0;
  *stream = reinterpret_cast<cudaStream_t>(++count);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t) {
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  const cudaError_t status = emulated_status();
  const bool there = status == cudaSuccess || status == cudaErrorNoKernelImageForDevice;
  if (there) *count = 1;
  return there ? cudaSuccess : status;
}

// One device, of which a program may think that there are two.
static thread_local int current_device = 0;

cudaError_t cudaSetDevice(int device) {
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = current_device;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = emulated_status() == cudaErrorInsufficientDriver ? 12000 : CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrComputeCapabilityMajor ? 9 : 0;
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, const void*) {
  return emulated_status();
}

const char* cudaGetErrorName(cudaError_t status) {
  return status == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation"
         : status == cudaErrorInvalidValue   ? "cudaErrorInvalidValue"
                                             : "cudaError";
}

const char* cudaGetErrorString(cudaError_t status) {
  return status == cudaErrorMemoryAllocation ? "out of memory"
         : status == cudaErrorInvalidValue   ? "invalid argument"
                                             : "failed";
}

}  // extern "C"
