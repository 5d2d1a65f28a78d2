#include "bench/rates.h"

#include <algorithm>
#include <cstdint>
#include <functional>

#include "bench/timing.h"
#include "core/gradient_check.h"
#include "core/tensor.h"
#include "kernels/gemm.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"

namespace drape::bench {
namespace {

constexpr double kSeconds = 0.3;  // for each rate

double fastest(Device device, const std::function<void()>& work) {
  work();
  return std::ranges::min(samples(kSeconds, [&] { return seconds_of(device, work); }));
}

// Each thread copies its part.
void copy_bytes(Cpu tag, std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes) {
  const std::int64_t threads = kernels::thread_count();
  kernels::parallel_for(threads, [&](std::int64_t index) {
    const kernels::Range range = kernels::part(bytes, threads, index);
    kernels::copy(tag, to + range.begin, from + range.begin,
                  static_cast<std::size_t>(range.size()));
  });
}

void copy_bytes(Cuda tag, std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes) {
  kernels::copy(tag, to, from, static_cast<std::size_t>(bytes));
}

// c = a b for `count` square matrices c that stand one below the other; a and b [size,size].
struct Products {
  std::int64_t size, count;
  const float *a, *b;
  float* c;
};

// Each thread has products of its own.
void multiply(Cpu, const Products& p) {
  kernels::parallel_for(p.count, [&](std::int64_t index) {
    kernels::gemm<float>(p.size, p.size, p.size, {p.a, p.size}, {p.b, p.size},
                         kernels::Output::replace, p.c + index * p.size * p.size, p.size);
  });
}

void multiply(Cuda tag, const Products& p) {
  kernels::gemm<float>(tag, p.size, p.size, p.size, {p.a, p.size}, {p.b, p.size}, {}, p.c, p.size);
}

}  // namespace

double copy_rate(Device device) {
  const std::int64_t bytes = device == Device::cpu ? 256 << 20 : 1 << 30;
  const Tensor from = Tensor::zeros({bytes}, DType::u8, device);
  Tensor to = Tensor::zeros({bytes}, DType::u8, device);
  const double seconds = fastest(device, [&] {
    on(device, [&](auto tag) {
      copy_bytes(tag, to.data<std::uint8_t>(), from.data<std::uint8_t>(), bytes);
    });
  });
  return 2.0 * static_cast<double>(bytes) / seconds;
}

double product_rate(Device device) {
  const bool cpu = device == Device::cpu;
  const std::int64_t size = cpu ? 1024 : 8192, count = cpu ? kernels::thread_count() : 1;
  const auto matrix = [&](std::int64_t rows) {
    return noise({rows, size}, {.seed = 3, .id = 0}, DType::f32).to(device);
  };
  const Tensor a = matrix(size), b = matrix(size);
  Tensor c = Tensor::uninitialized({count * size, size}, DType::f32, device);
  const Products products{size, count, a.data<float>(), b.data<float>(), c.data<float>()};
  const double seconds =
      fastest(device, [&] { on(device, [&](auto tag) { multiply(tag, products); }); });
  const auto side = static_cast<double>(size);
  return 2.0 * side * side * side * static_cast<double>(count) / seconds;
}

double Rates::limit(double bytes, double flop) const {
  return std::max(bytes / copy, flop / product);
}

}  // namespace drape::bench
