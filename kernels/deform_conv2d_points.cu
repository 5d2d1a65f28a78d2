// What flows back through the samples of deformable convolution: to offsets, masks and the image.
#include "kernels/ceil_div.h"
#include "kernels/point_backward.cuh"

namespace drape::kernels {
namespace {

// sums[i] = partial[0, i] + partial[1, i] + ...
template <class Real>
void add_partials(Cuda cuda, const Real* partial, int parts, std::int64_t size, Real* sums) {
  for_each(cuda, "deform_conv2d_points_sum", size, [=] __device__(std::int64_t i) {
    Real sum = partial[i];
    for (int part = 1; part < parts; ++part) sum += partial[part * size + i];
    sums[i] = sum;
  });
}

// d_offset and d_mask where an offset group has few channels: a thread per point.
template <int size, class T>
void few_channels(Cuda cuda, const Problem<T>& p, const T* dz,
                  const PointGradients<Accumulator<T>>& out) {
  using Real = Accumulator<T>;
  const std::int64_t points = p.pixels * p.offset_groups * p.taps;
  for_each(cuda, "deform_conv2d_points_few_channels", points, [=] __device__(std::int64_t j) {
    const int tap = static_cast<int>(j % p.taps);
    const int offset_group = static_cast<int>(j / p.taps % p.offset_groups);
    const std::int64_t pixel = j / p.taps / p.offset_groups;
    const OutputPixel output = p.pixel(pixel);
    const SamplingPoint<T> point(p, output, offset_group, tap);
    const T* image = p.in.x + output.n * p.g.H * p.g.W * p.g.C;
    PointSums<Real> sums;
    for (int i = 0; i < p.channels_of_offset; ++i) {
      const int c = offset_group * p.channels_of_offset + i, group = c / p.channels;
      const T* gradients = dz + pixel * p.g.K + group * p.filters;
      const T* weights = p.in.w + static_cast<std::int64_t>(group) * p.filters * p.columns() +
                         tap * p.channels + c % p.channels;
      Pack<Real, 1> ds{};
      for (int k = 0; k < p.filters; k += size) {
        const Pack<T, size> pack = load<size>(gradients + k);
        for (int l = 0; l < size; ++l) {
          ds.value[0] +=
              static_cast<Real>(pack.value[l]) * static_cast<Real>(weights[(k + l) * p.columns()]);
        }
      }
      sums.template add<1>(p, point, image, c, ds);
    }
    sums.write(out, j, point);
  });
}

// Bands of an image that leave room for other blocks on a multiprocessor, and fit into the smallest
// that there are.
template <class T>
Bands bands_of(const Problem<T>& p) {
  constexpr std::int64_t kBytes = sizeof(Accumulator<T>) > 4 ? 32 << 10 : 48 << 10;
  const std::int64_t image = p.g.H * p.g.W;
  const std::int64_t most = kBytes / kLanes / static_cast<std::int64_t>(sizeof(Accumulator<T>));
  const std::int64_t count = ceil_div(image, most);
  return {static_cast<int>(count), static_cast<int>(ceil_div(image, count))};
}

// Gradients of the points by way of partial sums, if an offset group has several slices, and dx.
template <class T>
void all_channels(Cuda cuda, const Problem<T>& p, const T* dz,
                  const PointGradients<Accumulator<T>>& out, T* dx) {
  using Real = Accumulator<T>;
  int slices = 1, parts = 1;
  for (ChannelSlice last = channel_slice(p, 0); last.slice.channel + last.slice.count < p.g.C;) {
    last = channel_slice(p, slices++);
    parts = std::max(parts, last.index + 1);
  }
  const bool direct = parts == 1 || !out.wanted();
  const std::int64_t points = p.pixels * p.offset_groups * p.taps;
  const DeviceBuffer<Real> buffer(cuda, direct ? 0 : 3 * parts * points);
  PointGradients<Real> to = out;
  if (!direct) {
    if (slices < parts * p.offset_groups)  // not every group has all parts
      fill_zero(cuda, buffer.data(), static_cast<std::size_t>(3 * parts * points) * sizeof(Real));
    to = {out.d_offset == nullptr ? nullptr : buffer.data(),
          out.d_mask == nullptr ? nullptr : buffer.data() + 2 * parts * points, points};
  }

  const Bands bands = dx == nullptr ? Bands{1, 1} : bands_of(p);
  const int tiles = static_cast<int>(count_of(p.outputs, kTileRows));
  const std::int64_t pairs = p.g.N * p.offset_groups * tiles * p.taps;
  const DeviceBuffer<Extent> extents(cuda, bands.count == 1 ? 0 : pairs);
  if (bands.count > 1) {
    launch(cuda, "deform_conv2d_extents", {dim3(count_of(pairs, kWarps)), dim3(kTileThreads)},
           extents_kernel<T>, p, tiles, extents.data());
  }
  // A small image has few blocks: they share out its taps. Not by the size of the batch, on which
  // no result depends.
  const int part_count = bands.count == 1 ? std::min(p.taps, 3) : 1;
  const bool summed = dx != nullptr && part_count > 1;
  const std::int64_t blocks = p.g.N * bands.count;
  const std::int64_t band = std::int64_t{bands.pixels} * kLanes;
  const DeviceBuffer<Real> partial(cuda, summed ? blocks * slices * part_count * band : 0);
  const Parts<Real> share{part_count, bands.pixels, partial.data(),
                          arrival_counters(blocks * slices)};
  const LaunchSize size{
      dim3(static_cast<unsigned>(blocks * part_count), static_cast<unsigned>(slices)),
      dim3(kTileThreads), PointsMemory<T>::kBandAt + static_cast<std::size_t>(band) * sizeof(Real)};
  with_tile<kColumns, T>(cuda, [&]<class Tile>() {
    const auto start = [&](auto kernel) {
      launch(cuda, "deform_conv2d_points", size, kernel, p, dz, tiles, bands, share, extents.data(),
             to, dx);
    };
    p.vectors_fit() ? start(points_kernel<kVector<T>, Tile, T>) : start(points_kernel<1, Tile, T>);
  });
  if (direct) return;
  if (out.d_offset != nullptr) add_partials(cuda, to.d_offset, parts, 2 * points, out.d_offset);
  if (out.d_mask != nullptr) add_partials(cuda, to.d_mask, parts, points, out.d_mask);
}

}  // namespace

template <class T>
void deform_point_gradients(Cuda cuda, const Problem<T>& p, const T* dz,
                            PointGradients<Accumulator<T>> out, T* dx) {
  constexpr int kFewChannels = 4;
  if (p.channels_of_offset <= kFewChannels && out.wanted()) {
    packs_fit(p.filters) ? few_channels<kPack>(cuda, p, dz, out)
                         : few_channels<1>(cuda, p, dz, out);
    out = {};
  }
  if (dx != nullptr || out.wanted()) all_channels(cuda, p, dz, out, dx);
}

template void deform_point_gradients(Cuda, const Problem<float>&, const float*,
                                     PointGradients<float>, float*);
template void deform_point_gradients(Cuda, const Problem<double>&, const double*,
                                     PointGradients<double>, double*);
template void deform_point_gradients(Cuda, const Problem<BFloat16>&, const BFloat16*,
                                     PointGradients<float>, BFloat16*);

}  // namespace drape::kernels
