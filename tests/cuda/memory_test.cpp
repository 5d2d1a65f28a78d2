// The device's memory: blocks are handed out again, and given back when asked.
#include "kernels/memory.h"

#include <cuda_runtime_api.h>

#include "tests/catch.h"
#include "tests/devices.h"
#include "tests/skip.h"

namespace drape::tests {

TEST_CASE("a block of the device's memory is used again, until it is given back", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Cuda cuda = current_cuda();
  constexpr std::size_t kBytes = 123'457;
  const auto asked = [&] {
    const std::int64_t before = kernels::memory_use(cuda).from_system;
    kernels::release(cuda, kernels::allocate(cuda, kBytes), kBytes);
    return kernels::memory_use(cuda).from_system - before;
  };
  CHECK(asked() == 1);
  CHECK(asked() == (kSanitized ? 1 : 0));  // a sanitizer shall see use after release
  kernels::trim(cuda);
  CHECK(asked() == 1);
}

TEST_CASE("device memory that is not there is an Error that says how much", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  CHECK_THROWS_WITH(
      Tensor::uninitialized({(std::int64_t{1} << 48) - 1}, DType::f64, Device::cuda),
      ContainsSubstring("memory: expected 2251799813685") && ContainsSubstring("on the device"));
}

TEST_CASE("a thread whose CUDA device is another one is told so", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Tensor before = Tensor::zeros({4}, DType::f32, Device::cuda);
  if (cudaSetDevice(1) != cudaSuccess) {
    SUCCEED("there is one device only");
    return;
  }
  const auto zeros = [] { return Tensor::zeros({4}, DType::f32, Device::cuda); };
  CHECK_THROWS_WITH(zeros(), "device: expected the thread's CUDA device to be 0, got 1");
  cudaSetDevice(0);
  CHECK(zeros().to_vector<float>() == before.to_vector<float>());
}

TEST_CASE("a tensor on CUDA begins on an allocation's bounds, or is refused", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  Tensor whole = Tensor::zeros({129}, DType::f32, Device::cuda);
  const auto from = [&](std::int64_t i) {
    return Tensor::around(whole.data<float>() + i, {64}, DType::f32, Device::cuda, [] {});
  };
  CHECK(from(64).data<float>() == whole.data<float>() + 64);
  CHECK_THROWS_WITH(
      from(65), "tensor: expected elements on cuda to begin on bounds of 256 bytes, got others");
}

}  // namespace drape::tests
