// The instructions of tensor cores; the emulator has its own. All lanes of a warp must call them.
#pragma once

#include "kernels/cuda.cuh"

#if defined(__CUDACC__)
namespace drape::kernels {

/// x to TF32's 10 bits of fraction, to nearest, ties away from zero.
__device__ inline float round_to_tf32(float x) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}

/// Four or two matrices of 8 lines of 16 bytes in shared memory: line l of matrix m lies where lane
/// 8 m + l says. Of matrix m a lane gets word lane % 4 of line lane / 4; transposed, as 8 x 8 of 16
/// bits, the elements lane / 4 of lines lane % 4 * 2 and the next. PTX: ldmatrix.
template <bool transposed>
__device__ void load_matrices(const void* line, std::uint32_t (&words)[4]) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(line));
  if constexpr (transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
  }
}
template <bool transposed>
__device__ void load_matrices(const void* line, std::uint32_t (&words)[2]) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(line));
  if constexpr (transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(words[0]), "=r"(words[1])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(words[0]), "=r"(words[1])
                 : "r"(address)
                 : "memory");
  }
}

/// sums += a b, of 16 x 8 and 8 x 8 in TF32, or of 16 x 16 and 16 x 8 in bf16. PTX: mma.
template <bool tf32>
__device__ void multiply_add(const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                             float (&sums)[4]) {
  if constexpr (tf32) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, "
        "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
        "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}

}  // namespace drape::kernels
#endif
