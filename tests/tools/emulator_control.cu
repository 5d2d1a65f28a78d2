// What the emulator must catch: kernels with one defect each, and two without. Run with a defect's
// name; ctest knows what it must print.
#include <cstdio>
#include <string>
#include <vector>

#include "kernels/cuda.cuh"

namespace drape::kernels {
namespace {

constexpr unsigned kThreads = 64;

__global__ void sound(float* x) {
  DRAPE_SHARED(float, tile, [kThreads]);
  const unsigned t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  x[t] = tile[kThreads - 1 - t];
}
__global__ void sound_in_a_warp(float* x) {
  DRAPE_SHARED(float, tile, [kThreads]);
  const unsigned t = threadIdx.x;
  tile[t] = x[t];
  __syncwarp();
  x[t] = tile[t ^ 1] + __shfl_xor_sync(0xffffffffu, x[t], 1);
}
__global__ void missing_barrier(float* x) {
  DRAPE_SHARED(float, tile, [kThreads]);
  const unsigned t = threadIdx.x;
  tile[t] = x[t];
  x[t] = tile[kThreads - 1 - t];
}
__global__ void missing_second_barrier(float* x) {
  DRAPE_SHARED(float, tile, [kThreads]);
  const unsigned t = threadIdx.x;
  for (int i = 0; i < 2; ++i) {
    tile[t] = x[t];
    __syncthreads();
    x[t] = tile[kThreads - 1 - t];
  }
}
__global__ void race_between_blocks(float* x) {
  if (threadIdx.x == 0) x[0] += 1.0f;
}
__global__ void return_before_barrier(float* x) {
  if (threadIdx.x >= 40) return;
  x[threadIdx.x] += 1.0f;
  __syncthreads();
}
__global__ void barriers_in_branches(float* x) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    x[threadIdx.x] = 0.0f;
    __syncthreads();
  }
}
__global__ void trip_counts(float* x) {
  for (unsigned i = 0; i <= threadIdx.x / 32; ++i) {
    x[threadIdx.x] += 1.0f;
    __syncthreads();
  }
}
__global__ void shuffle_in_a_branch(float* x) {
  float v = x[threadIdx.x];
  if (threadIdx.x % 2 != 0) v += __shfl_xor_sync(0xffffffffu, v, 2);
  __syncthreads();
  x[threadIdx.x] = v;
}
__global__ void shuffle_from_outside(float* x) {
  float v = x[threadIdx.x];
  if (threadIdx.x % 32 < 16) v += __shfl_down_sync(0xffffu, v, 8);
  x[threadIdx.x] = v;
}
__global__ void beyond_shared(float* x) {
  DRAPE_SHARED(float, tile, [kThreads]);
  float* first = tile;
  first[threadIdx.x + 1] = x[threadIdx.x];
  __syncthreads();
}
__global__ void beyond_dynamic(float* x) {
  DRAPE_DYNAMIC_SHARED(float, tile);
  tile[threadIdx.x + 1] = x[threadIdx.x];
  __syncthreads();
}
__global__ void beyond_global(float* x) {
  x[threadIdx.x + 1] = 0.0f;
}
__global__ void unwritten_shared(float* x) {
  DRAPE_SHARED(float, tile, [kThreads]);
  if (threadIdx.x < 32) tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = tile[threadIdx.x];
}
__global__ void misaligned(float* x) {
  struct alignas(16) Four {
    float v[4];
  };
  if (threadIdx.x == 0) x[0] = reinterpret_cast<const Four*>(x + 1)->v[0];
}
__global__ void overflow(float* x) {
  const int large = 2147483647 - static_cast<int>(threadIdx.x);
  x[threadIdx.x] = static_cast<float>(large + 1);
}
__global__ void too_much_shared(float* x) {
  DRAPE_SHARED(float, tile, [16384]);
  tile[threadIdx.x] = x[threadIdx.x];
}

// Runs a kernel on 64 ones and prints what became of the sum.
int run(const std::string& defect) {
  const Cuda cuda = current_cuda();
  constexpr std::size_t kBytes = kThreads * sizeof(float);
  std::vector<float> values(kThreads, 1.0f);
  auto* x = static_cast<float*>(allocate(cuda, kBytes));
  copy_to_device(cuda, x, values.data(), kBytes);
  const auto start = [&](auto kernel, LaunchSize size = {dim3(1), dim3(kThreads)}) {
    launch(cuda, defect.c_str(), size, kernel, x);
  };
  if (defect == "none") start(sound), start(sound_in_a_warp);
  if (defect == "missing_barrier") start(missing_barrier);
  if (defect == "missing_second_barrier") start(missing_second_barrier);
  if (defect == "race_between_blocks") start(race_between_blocks, {dim3(2), dim3(kThreads)});
  if (defect == "return_before_barrier") start(return_before_barrier);
  if (defect == "barriers_in_branches") start(barriers_in_branches);
  if (defect == "trip_counts") start(trip_counts);
  if (defect == "shuffle_in_a_branch") start(shuffle_in_a_branch);
  if (defect == "shuffle_from_outside") start(shuffle_from_outside);
  if (defect == "beyond_shared") start(beyond_shared);
  if (defect == "beyond_dynamic") start(beyond_dynamic, {dim3(1), dim3(kThreads), kBytes});
  if (defect == "beyond_global") start(beyond_global);
  if (defect == "unwritten_shared") start(unwritten_shared);
  if (defect == "misaligned") start(misaligned);
  if (defect == "overflow") start(overflow);
  if (defect == "too_much_shared") start(too_much_shared);
  if (defect == "too_many_threads") start(sound, {dim3(1), dim3(2048)});
  if (defect == "empty_grid") start(sound, {dim3(0), dim3(kThreads)});
  if (defect == "host_access") values[0] = x[0];
  if (defect == "released_memory") release(cuda, x, kBytes), start(sound);
  copy_to_host(cuda, values.data(), x, kBytes);
  release(cuda, x, kBytes);
  float sum = 0.0f;
  for (const float value : values) sum += value;
  std::printf("sum %g\n", static_cast<double>(sum));
  return 0;
}

}  // namespace
}  // namespace drape::kernels

int main(int argc, char** argv) {
  try {
    return drape::kernels::run(argc > 1 ? argv[1] : "none");
  } catch (const drape::Error& error) {
    std::fprintf(stderr, "Error: %s\n", error.what());
    return 1;
  }
}
