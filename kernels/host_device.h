// Marks functions that run on host and device: one formula, two schedules.
#pragma once

#if defined(__CUDACC__)
#define DRAPE_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define DRAPE_HOST_DEVICE inline __attribute__((always_inline))  // loops around them must vectorise
#endif
