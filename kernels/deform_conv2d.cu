// Deformable convolution as an implicit GEMM: patches are sampled into shared memory, tile by tile,
// and never written out. Nothing adds with atomics: every sum has an order that the shape decides.
#include "kernels/deform_conv2d.h"

#include "kernels/bilinear.h"
#include "kernels/epilogue.cuh"
#include "kernels/gemm.h"
#include "kernels/relu.h"
#include "kernels/tensor_tile.cuh"

namespace drape::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kPixels = kTileRows, kFilters = kTileRows, kChannels = kTileDepth;  // of a tile

// Elements that one 16-byte access moves.
template <class T>
constexpr int kVector = 16 / static_cast<int>(sizeof(T));

template <class T, int size>
struct alignas(sizeof(T) * size) Pack {
  T value[size];
};

// `size` elements from an address on their bounds.
template <int size, class T>
__device__ Pack<T, size> load(const T* from) {
  return *reinterpret_cast<const Pack<T, size>*>(from);
}

// What the kernels know of a convolution; 32 bits where they suffice.
template <class T>
struct Problem {
  Conv2dGeometry g;
  DeformConv2dInputs<T> in;
  int taps, offset_groups;
  int channels, filters;   // of a weight group
  int channels_of_offset;  // of an offset group
  std::int64_t pixels;     // N * P * Q

  Problem(const DeformConv2dGeometry& geometry, const DeformConv2dInputs<T>& inputs)
      : g(geometry.conv),
        in(inputs),
        taps(static_cast<int>(geometry.taps())),
        offset_groups(static_cast<int>(geometry.offset_groups)),
        channels(static_cast<int>(g.C / g.groups)),
        filters(static_cast<int>(g.K / g.groups)),
        channels_of_offset(static_cast<int>(g.C / geometry.offset_groups)),
        pixels(g.N * g.P * g.Q) {}

  // The sampling point of an output pixel, an offset group and a tap.
  __device__ std::int64_t point(std::int64_t pixel, int offset_group, int tap) const {
    return (pixel * offset_groups + offset_group) * taps + tap;
  }
};

// Where one output pixel samples with one tap: worked out once, used by all channels of the offset
// group.
template <class T>
struct Sample {
  BilinearPoint<T> at;
  T mask;
  const T* image;
  std::int64_t C;
  std::int32_t outside;

  __device__ Sample(const Problem<T>& p, std::int64_t pixel, int offset_group, int tap)
      : C(p.g.C), outside(static_cast<std::int32_t>(p.g.H * p.g.W)) {
    const std::int64_t out_x = pixel % p.g.Q, out_y = pixel / p.g.Q % p.g.P;
    const std::int64_t n = pixel / p.g.Q / p.g.P, j = p.point(pixel, offset_group, tap);
    const std::int64_t r = tap / p.g.S, s = tap % p.g.S;
    const T y = static_cast<T>(out_y * p.g.stride.y - p.g.padding.y + r * p.g.dilation.y);
    const T x = static_cast<T>(out_x * p.g.stride.x - p.g.padding.x + s * p.g.dilation.x);
    at = bilinear_point(y + p.in.offset[2 * j], x + p.in.offset[2 * j + 1],
                        static_cast<std::int32_t>(p.g.H), static_cast<std::int32_t>(p.g.W));
    mask = p.in.mask == nullptr ? T(1) : p.in.mask[j];
    image = p.in.x + n * p.g.H * p.g.W * p.g.C;
  }

  // Values of a corner in `size` channels from c on; zero outside the image.
  template <int size>
  __device__ Pack<T, size> corner(int i, std::int64_t c) const {
    if (at.pixel[i] == outside) return {};
    return load<size>(image + at.pixel[i] * C + c);
  }

  // The masked, interpolated values in `size` channels.
  template <int size>
  __device__ Pack<T, size> values(std::int64_t c) const {
    Pack<T, size> sum{};
    for (int i = 0; i < 4; ++i) {
      const Pack<T, size> v = corner<size>(i, c);
      const T weight = at.weight(i) * mask;
      for (int j = 0; j < size; ++j) sum.value[j] += weight * v.value[j];
    }
    return sum;
  }
};

// A tile of patches in shared memory, rows `stride` apart: kPixels pixels from `first` on, one tap,
// the channels [begin, end), at most kChannels of one offset group; zero beyond. `size` channels at
// a time.
template <int size, int stride, class T>
__device__ void sample_tile(const Problem<T>& p, std::int64_t first, int tap, int begin, int end,
                            T* tile) {
  constexpr int kAcross = kChannels / size;
  for (int i = static_cast<int>(threadIdx.x); i < kPixels * kAcross; i += kThreads) {
    const int m = i / kAcross, c = i % kAcross * size;
    Pack<T, size> v{};
    if (first + m < p.pixels && begin + c < end) {
      v = Sample<T>(p, first + m, begin / p.channels_of_offset, tap)
              .template values<size>(begin + c);
    }
    for (int j = 0; j < size; ++j) tile[m * stride + c + j] = v.value[j];
  }
}

// The first channel behind `c` that another slice, offset group or weight group begins with.
template <class T>
__device__ int end_of_slice(const Problem<T>& p, int c, int end_of_group) {
  const int offset_group_end = (c / p.channels_of_offset + 1) * p.channels_of_offset;
  return min(min(c + kChannels, offset_group_end), end_of_group);
}

// y = sampled patches times filters, with bias and activation. A block makes a tile of results.
template <int size, class Tile, class T>
__global__ void __launch_bounds__(kThreads, 2)
    forward_kernel(Problem<T> p, Activation activation, T* y) {
  DRAPE_SHARED(T, memory, [2 * kTileRows * kTileStride]);
  T *patches = memory, *weights = memory + kTileRows * kTileStride;
  const int filter_tiles = (p.filters + kFilters - 1) / kFilters;
  const int group = static_cast<int>(blockIdx.y) / filter_tiles;
  const int first_filter = static_cast<int>(blockIdx.y) % filter_tiles * kFilters;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kPixels;
  const int group_begin = group * p.channels, group_end = group_begin + p.channels;
  Tile sums;
  for (int tap = 0; tap < p.taps; ++tap) {
    for (int c = group_begin; c < group_end;) {
      const int end = end_of_slice(p, c, group_end);
      sample_tile<size, kTileStride>(p, first, tap, c, end, patches);
      for (int i = static_cast<int>(threadIdx.x); i < kFilters * kChannels; i += kThreads) {
        const int k = first_filter + i / kChannels, channel = c + i % kChannels;
        const std::int64_t weight =
            (static_cast<std::int64_t>(group * p.filters + k) * p.taps + tap) * p.channels +
            channel - group_begin;
        weights[i / kChannels * kTileStride + i % kChannels] =
            k < p.filters && channel < end ? p.in.w[weight] : T(0);
      }
      __syncthreads();
      sums.add_product(patches, weights);
      __syncthreads();
      c = end;
    }
  }
  sums.each(memory, [&](int m, int k, T sum) {
    const std::int64_t pixel = first + m, filter = group * p.filters + first_filter + k;
    if (pixel >= p.pixels || first_filter + k >= p.filters) return;
    const T z = p.in.b == nullptr ? sum : sum + p.in.b[filter];
    y[pixel * p.g.K + filter] = activation == Activation::relu && z < T(0) ? T(0) : z;
  });
}

// The same for few channels, where a GEMM would be mostly empty: a thread per pixel and 32 filters.
template <class T>
__global__ void __launch_bounds__(kThreads)
    forward_few_channels_kernel(Problem<T> p, Activation activation, T* y) {
  constexpr int kOfThread = 32;
  const std::int64_t pixel = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int filter_tiles = (p.filters + kOfThread - 1) / kOfThread;
  const int group = static_cast<int>(blockIdx.y) / filter_tiles;
  const int first_filter = static_cast<int>(blockIdx.y) % filter_tiles * kOfThread;
  const int count = min(kOfThread, p.filters - first_filter);
  if (pixel >= p.pixels) return;
  T sums[kOfThread] = {};
  for (int tap = 0; tap < p.taps; ++tap) {
    for (int c = 0; c < p.channels; ++c) {
      const int channel = group * p.channels + c;
      const Sample<T> sample(p, pixel, channel / p.channels_of_offset, tap);
      const T value = sample.template values<1>(channel).value[0];
      for (int k = 0; k < kOfThread; ++k) {
        if (k >= count) break;
        const std::int64_t filter = group * p.filters + first_filter + k;
        sums[k] += value * p.in.w[(filter * p.taps + tap) * p.channels + c];
      }
    }
  }
  for (int k = 0; k < kOfThread; ++k) {
    if (k >= count) break;
    const std::int64_t filter = group * p.filters + first_filter + k;
    const T z = p.in.b == nullptr ? sums[k] : sums[k] + p.in.b[filter];
    y[pixel * p.g.K + filter] = activation == Activation::relu && z < T(0) ? T(0) : z;
  }
}

// What the backward kernels read: ds = dL/d(sampled patches) of the pixels that are worked on,
// [pixels, groups, taps, channels].
template <class T>
struct Flow {
  const T* ds;
  std::int64_t first_pixel, pixels;

  // dL/d(sample) of a pixel's tap in channel c.
  __device__ const T* gradient(const Problem<T>& p, std::int64_t pixel, int tap, int c) const {
    const int group = c / p.channels;
    return ds + (((pixel - first_pixel) * p.g.groups + group) * p.taps + tap) * p.channels +
           c % p.channels;
  }
};

// d_offset and d_mask: a warp per sampling point, lanes over channels.
template <class T>
__global__ void __launch_bounds__(kThreads)
    offset_kernel(Problem<T> p, Flow<T> flow, T* d_offset, T* d_mask) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const std::int64_t points = flow.pixels * p.offset_groups * p.taps;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * (kThreads / 32);
  std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  for (; i < points; i += step) {
    const int tap = static_cast<int>(i % p.taps);
    const int offset_group = static_cast<int>(i / p.taps % p.offset_groups);
    const std::int64_t pixel = flow.first_pixel + i / p.taps / p.offset_groups;
    const Sample<T> sample(p, pixel, offset_group, tap);
    const int begin = offset_group * p.channels_of_offset, end = begin + p.channels_of_offset;
    T sums[4] = {};
    for (int c = begin + lane; c < end; c += 32) {
      const T ds = *flow.gradient(p, pixel, tap, c);
      for (int corner = 0; corner < 4; ++corner) {
        sums[corner] += ds * sample.template corner<1>(corner, c).value[0];
      }
    }
    for (int corner = 0; corner < 4; ++corner) sums[corner] = warp_sum(sums[corner]);
    if (lane != 0) continue;
    const std::int64_t j = p.point(pixel, offset_group, tap);
    const auto [a, b, c, d] = sums;
    const T fy = sample.at.fy, fx = sample.at.fx;
    if (d_offset != nullptr) {
      d_offset[2 * j] = sample.mask * bilinear_dy(a, b, c, d, fx);
      d_offset[2 * j + 1] = sample.mask * bilinear_dx(a, b, c, d, fy);
    }
    if (d_mask != nullptr) d_mask[j] = bilinear_value(a, b, c, d, fy, fx);
  }
}

// dx. A block has one image, 32 channels, one per lane, and a band of rows that fits into shared
// memory once per warp. Every warp goes through its share of the image's sampling points in order,
// lanes looking 32 points ahead for those that touch the band, and adds to its own copy; the copies
// are added in order.
template <class T>
__global__ void input_kernel(Problem<T> p, Flow<T> flow, int rows_of_band, T* dx) {
  DRAPE_DYNAMIC_SHARED(T, copies);
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int warps = static_cast<int>(blockDim.x / 32);
  const int slices = (static_cast<int>(p.g.C) + 31) / 32;
  const int slice = static_cast<int>(blockIdx.y) % slices;
  const int band = static_cast<int>(blockIdx.y) / slices;
  const std::int64_t outputs = p.g.P * p.g.Q, first = flow.first_pixel + blockIdx.x * outputs;
  const std::int64_t image = first / outputs;
  const auto W = static_cast<int>(p.g.W), H = static_cast<int>(p.g.H);
  const int begin = band * rows_of_band * W, end = min((band + 1) * rows_of_band, H) * W;
  const int cells = rows_of_band * W * 32, c = slice * 32 + lane;
  const bool active = c < p.g.C;
  T* mine = copies + warp * cells;
  for (int i = lane; i < cells; i += 32) mine[i] = T(0);
  __syncwarp();

  // Points of all offset groups that the slice's channels belong to; a lane adds those of its own.
  const int group_begin = slice * 32 / p.channels_of_offset;
  const int group_end =
      min(slice * 32 + 31, static_cast<int>(p.g.C) - 1) / p.channels_of_offset + 1;
  const std::int64_t points = outputs * p.taps;
  const std::int64_t my_begin = points * warp / warps, my_end = points * (warp + 1) / warps;
  for (int offset_group = group_begin; offset_group < group_end; ++offset_group) {
    const bool mine_too = active && c / p.channels_of_offset == offset_group;
    for (std::int64_t ahead = my_begin; ahead < my_end; ahead += 32) {
      bool touches = false;
      if (ahead + lane < my_end) {
        const std::int64_t i = ahead + lane;
        const Sample<T> sample(p, first + i / p.taps, offset_group, static_cast<int>(i % p.taps));
        for (const std::int32_t pixel : sample.at.pixel) touches |= pixel >= begin && pixel < end;
      }
      for (unsigned left = __ballot_sync(0xffffffffu, touches); left != 0; left &= left - 1) {
        const std::int64_t i = ahead + __ffs(static_cast<int>(left)) - 1;
        const std::int64_t pixel = first + i / p.taps;
        const int tap = static_cast<int>(i % p.taps);
        if (!mine_too) continue;
        const Sample<T> sample(p, pixel, offset_group, tap);
        const T ds = *flow.gradient(p, pixel, tap, c) * sample.mask;
        for (int corner = 0; corner < 4; ++corner) {
          const std::int32_t at = sample.at.pixel[corner];
          if (at >= begin && at < end)
            mine[(at - begin) * 32 + lane] += sample.at.weight(corner) * ds;
        }
      }
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < (end - begin) * 32;
       i += static_cast<int>(blockDim.x)) {
    const int channel = slice * 32 + i % 32;
    if (channel >= p.g.C) continue;
    T sum = copies[i];
    for (int copy = 1; copy < warps; ++copy) sum += copies[copy * cells + i];
    dx[(image * H * W + begin + i / 32) * p.g.C + channel] = sum;
  }
}

// dw of one tap, kChannels channels and kFilters filters, from a range of pixels; written to
// partial sums [ranges, K, taps, channels]. A thread sums 8 of them.
template <int size, class T>
__global__ void __launch_bounds__(kThreads, 2)
    weight_kernel(Problem<T> p, const T* dz, std::int64_t pixels_of_range, T* partial) {
  DRAPE_SHARED(T, patches, [kPixels][kChannels]);
  DRAPE_SHARED(T, gradients, [kPixels][kFilters]);
  // The slice: counted through weight groups, offset groups and kChannels at a time.
  const int tap = static_cast<int>(blockIdx.x) % p.taps;
  int slice = static_cast<int>(blockIdx.x) / p.taps, c = 0, group = 0, end = 0;
  for (int begin = 0; begin < p.g.C; begin = end, --slice) {
    group = begin / p.channels;
    end = end_of_slice(p, begin, (group + 1) * p.channels);
    c = begin;
    if (slice == 0) break;
  }
  const int first_filter = static_cast<int>(blockIdx.y) * kFilters;
  const std::int64_t begin = blockIdx.z * pixels_of_range;
  const std::int64_t stop = min(begin + pixels_of_range, p.pixels);
  const int channel = static_cast<int>(threadIdx.x) % kChannels;
  const int row = static_cast<int>(threadIdx.x) / kChannels;  // 0 ... 7
  T sums[kFilters / 8] = {};
  for (std::int64_t first = begin; first < stop; first += kPixels) {
    sample_tile<size, kChannels>(p, first, tap, c, end, &patches[0][0]);
    for (int i = static_cast<int>(threadIdx.x); i < kPixels * kFilters; i += kThreads) {
      const std::int64_t pixel = first + i / kFilters;
      const int k = first_filter + i % kFilters;
      gradients[i / kFilters][i % kFilters] =
          pixel < stop && k < p.filters ? dz[pixel * p.g.K + group * p.filters + k] : T(0);
    }
    __syncthreads();
    for (int m = 0; m < kPixels; ++m) {
      const T value = patches[m][channel];
      for (int j = 0; j < kFilters / 8; ++j) sums[j] += gradients[m][row + 8 * j] * value;
    }
    __syncthreads();
  }
  if (c + channel >= end) return;
  for (int j = 0; j < kFilters / 8; ++j) {
    const int k = first_filter + row + 8 * j;
    if (k >= p.filters) continue;
    const std::int64_t filter = group * p.filters + k;
    const std::int64_t weight =
        (filter * p.taps + tap) * p.channels + c + channel - group * p.channels;
    partial[blockIdx.z * p.g.K * p.taps * p.channels + weight] = sums[j];
  }
}

// Whether vectors of the type's full width can be loaded: channels of a group fill them, and x lies
// on their bounds.
template <class T>
bool vectors_fit(const Problem<T>& p) {
  return p.channels % kVector<T> == 0 && p.channels_of_offset % kVector<T> == 0 &&
         reinterpret_cast<std::uintptr_t>(p.in.x) % 16 == 0;
}

unsigned count_of(std::int64_t items, std::int64_t each) {
  return static_cast<unsigned>((items + each - 1) / each);
}

// Slices of channels that weight_kernel's blocks work on.
template <class T>
int slice_count(const Problem<T>& p) {
  int slices = 0;
  for (int c = 0; c < p.g.C; ++slices) {
    const int offset_end = (c / p.channels_of_offset + 1) * p.channels_of_offset;
    const int group_end = (c / p.channels + 1) * p.channels;
    c = std::min({c + kChannels, offset_end, group_end});
  }
  return slices;
}

template <class T>
void weight_gradient(Cuda cuda, const Problem<T>& p, const T* dz, T* dw) {
  const std::int64_t size = p.g.w_size();
  const auto tiles = static_cast<unsigned>(p.taps * slice_count(p));
  const unsigned filter_tiles = count_of(p.filters, kFilters);
  // Enough blocks to fill a device, and no more partial sums than that takes.
  const std::int64_t ranges = std::clamp<std::int64_t>(
      1024 / (tiles * filter_tiles), 1, std::min<std::int64_t>(64, count_of(p.pixels, kPixels)));
  const std::int64_t of_range = (p.pixels + ranges - 1) / ranges;
  const unsigned used = count_of(p.pixels, of_range);
  const DeviceBuffer<T> buffer(cuda, used * size);
  T* partial = buffer.data();
  const LaunchSize launch_size{dim3(tiles, filter_tiles, used), dim3(kThreads)};
  if (vectors_fit(p)) {
    launch(cuda, "deform_conv2d_weight", launch_size, weight_kernel<kVector<T>, T>, p, dz, of_range,
           partial);
  } else {
    launch(cuda, "deform_conv2d_weight_scalar", launch_size, weight_kernel<1, T>, p, dz, of_range,
           partial);
  }
  for_each(cuda, "deform_conv2d_weight_sum", size, [=] __device__(std::int64_t i) {
    T sum = partial[i];
    for (unsigned range = 1; range < used; ++range) sum += partial[range * size + i];
    dw[i] = sum;
  });
}

template <class T>
void input_gradient(Cuda cuda, const Problem<T>& p, const Flow<T>& flow, std::int64_t images,
                    T* dx) {
  constexpr std::int64_t kBytes = 200 << 10;
  const std::int64_t row_bytes = p.g.W * 32 * static_cast<std::int64_t>(sizeof(T));
  if (row_bytes > kBytes) {
    throw Error("deform_conv2d: expected images of at most " +
                std::to_string(kBytes / 32 / static_cast<std::int64_t>(sizeof(T))) +
                " pixels a row on the device, got " + std::to_string(p.g.W));
  }
  const std::int64_t warps = std::clamp<std::int64_t>(kBytes / (row_bytes * p.g.H), 4, 8);
  const std::int64_t copies = std::min(warps, kBytes / row_bytes);
  const std::int64_t rows = std::min(p.g.H, kBytes / (row_bytes * copies));
  const unsigned bands = count_of(p.g.H, rows), slices = count_of(p.g.C, 32);
  launch(cuda, "deform_conv2d_input",
         {dim3(static_cast<unsigned>(images), bands * slices),
          dim3(static_cast<unsigned>(32 * copies)),
          static_cast<std::size_t>(copies * rows * row_bytes)},
         input_kernel<T>, p, flow, static_cast<int>(rows), dx);
}

// d_offset, d_mask and dx, a few images at a time, so that ds stays in the second-level cache.
template <class T>
void sample_gradients(Cuda cuda, const Problem<T>& p, const T* dz,
                      const DeformConv2dGradients<T>& out) {
  constexpr std::int64_t kBytes = 32 << 20;
  const std::int64_t outputs = p.g.P * p.g.Q, width = p.taps * p.g.C;
  const std::int64_t image_bytes = outputs * width * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t most = std::clamp<std::int64_t>(kBytes / image_bytes, 1, p.g.N);
  const DeviceBuffer<T> ds(cuda, most * outputs * width);
  const std::int64_t columns = p.taps * p.channels;
  for (std::int64_t n = 0; n < p.g.N; n += most) {
    const std::int64_t images = std::min(most, p.g.N - n);
    const Flow<T> flow{ds.data(), n * outputs, images * outputs};
    for (std::int64_t group = 0; group < p.g.groups; ++group) {
      gemm<T>(cuda, flow.pixels, columns, p.filters,
              {dz + flow.first_pixel * p.g.K + group * p.filters, p.g.K},
              {p.in.w + group * p.filters * columns, columns}, nullptr, Output::replace,
              ds.data() + group * columns, width);
    }
    if (out.d_offset != nullptr || out.d_mask != nullptr) {
      const std::int64_t points = flow.pixels * p.offset_groups * p.taps;
      launch(cuda, "deform_conv2d_offset",
             {dim3(blocks_for(points, kThreads / 32)), dim3(kThreads)}, offset_kernel<T>, p, flow,
             out.d_offset, out.d_mask);
    }
    if (out.dx != nullptr) input_gradient(cuda, p, flow, images, out.dx);
  }
}

}  // namespace

template <class T>
void deform_conv2d_forward(Cuda cuda, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<T>& in, Activation activation, T* y) {
  constexpr int kFewChannels = 4;
  const Problem<T> p(geometry, in);
  const auto groups = static_cast<unsigned>(p.g.groups);
  if (p.channels <= kFewChannels) {
    launch(cuda, "deform_conv2d_forward_few_channels",
           {dim3(count_of(p.pixels, kThreads), groups * count_of(p.filters, 32)), dim3(kThreads)},
           forward_few_channels_kernel<T>, p, activation, y);
    return;
  }
  const LaunchSize size{dim3(count_of(p.pixels, kPixels), groups * count_of(p.filters, kFilters)),
                        dim3(kThreads)};
  const auto start = [&](const char* name, auto kernel) {
    launch(cuda, name, size, kernel, p, activation, y);
  };
  const bool vectors = vectors_fit(p);
  if constexpr (std::is_same_v<T, float>) {
    if (cuda.math == Math::tf32) {
      return vectors
                 ? start("deform_conv2d_forward_tf32", forward_kernel<kVector<T>, TensorTile, T>)
                 : start("deform_conv2d_forward_tf32_scalar", forward_kernel<1, TensorTile, T>);
    }
  }
  vectors ? start("deform_conv2d_forward", forward_kernel<kVector<T>, ScalarTile<T>, T>)
          : start("deform_conv2d_forward_scalar", forward_kernel<1, ScalarTile<T>, T>);
}

template <class T>
void deform_conv2d_backward(Cuda cuda, const DeformConv2dGeometry& geometry,
                            const DeformConv2dInputs<T>& in, const T* y, const T* dy,
                            Activation activation, const DeformConv2dGradients<T>& out) {
  const Problem<T> p(geometry, in);
  const DeviceBuffer<T> masked(cuda, activation == Activation::relu ? p.g.y_size() : 0);
  const T* dz = dy;
  if (activation == Activation::relu) {
    relu_backward(cuda, y, dy, masked.data(), p.g.y_size());
    dz = masked.data();
  }
  if (out.dx != nullptr || out.d_offset != nullptr || out.d_mask != nullptr)
    sample_gradients(cuda, p, dz, out);
  if (out.dw != nullptr) weight_gradient(cuda, p, dz, out.dw);
  if (out.db != nullptr) column_sums(cuda, p.pixels, p.g.K, dz, out.db);
}

template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<float>&, Activation, float*);
template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<double>&, Activation, double*);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<float>&, const float*, const float*,
                                     Activation, const DeformConv2dGradients<float>&);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<double>&, const double*,
                                     const double*, Activation,
                                     const DeformConv2dGradients<double>&);

}  // namespace drape::kernels
