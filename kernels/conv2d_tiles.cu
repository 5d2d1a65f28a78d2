#include "kernels/conv2d_tiles.cuh"

#include "kernels/patch_forward.cuh"
#include "kernels/patch_weight.cuh"

namespace drape::kernels {
namespace {

// Takes tiles of `rows` patches from where the convolution's grid lies, `size` channels at a time.
template <int size, int rows, class Tile, class T>
class GridSampler {
 public:
  static constexpr Columns kWay = Columns::by_tap;
  static constexpr int kPoints = 0;

  __device__ GridSampler(const Problem<T>& p, std::int64_t end, Corners<T>*) : p_(p), end_(end) {}

  /// As TapSampler's.
  __device__ void fetch(const Slice& slice, std::int64_t first) {
    if (first != first_) place(first);
    if (slice.tap != tap_) go_to(slice.tap);
    const int there =
        column() < slice.count ? static_cast<int>(min(end_ - first, std::int64_t{rows})) : 0;
    const T* const of_first = p_.in.x + slice.channel + column();
    for (int i = 0; i < kRows; ++i) {
      const int h = p_.grid.y(y_[i], r_), v = p_.grid.x(x_[i], s_);
      values_[i] = {};
      if (row(i) < there && p_.grid.inside(h, v)) {
        const std::uint32_t pixel = image_[i] + static_cast<std::uint32_t>(h * p_.grid.W + v);
        values_[i] = load<size>(p_.at(of_first, pixel));
      }
    }
  }

  __device__ void store(T* tile, int stride) const {
    for (int i = 0; i < kRows; ++i)
      kernels::store(tile + row(i) * stride + column(), prepared<Tile>(values_[i]));
  }

 private:
  static constexpr int kAcross = kColumns / size, kRows = rows / (kTileThreads / kAcross);
  __device__ static int column() { return static_cast<int>(threadIdx.x) % kAcross * size; }
  __device__ static int row(int i) {
    return static_cast<int>(threadIdx.x) / kAcross + i * (kTileThreads / kAcross);
  }

  // The outputs of the rows from `first` on; without divisions if those before were there.
  __device__ void place(std::int64_t first) {
    const bool next = p_.order == Rows::pixels && first_ >= 0 && first == first_ + rows;
    const auto of_image = static_cast<std::uint32_t>(p_.grid.H * p_.grid.W);
    first_ = first;
    for (int i = 0; i < kRows; ++i) {
      if (next) {
        x_[i] += rows;
        while (x_[i] >= p_.Q) x_[i] -= p_.Q, ++y_[i];
        while (y_[i] >= p_.P) y_[i] -= p_.P, image_[i] += of_image;
      } else {
        const OutputPixel output = p_.pixel(first + row(i));
        y_[i] = output.y, x_[i] = output.x;
        image_[i] = static_cast<std::uint32_t>(output.n) * of_image;
      }
    }
  }

  // A tap; the one behind the last without a division.
  __device__ void go_to(int tap) {
    const bool next = tap == tap_ + 1;
    tap_ = tap;
    if (!next) {
      r_ = tap / p_.grid.S, s_ = tap - r_ * p_.grid.S;
    } else if (++s_ == p_.grid.S) {
      s_ = 0, ++r_;
    }
  }

  const Problem<T>& p_;
  int tap_ = 0, r_ = 0, s_ = 0;
  std::int64_t end_, first_ = -1;  // whose outputs are there
  int y_[kRows], x_[kRows];
  std::uint32_t image_[kRows];  // its first pixel
  Pack<T, size> values_[kRows];
};

// Calls f.operator()<size>() with as many channels as can be read at once.
template <class T, class F>
void with_vectors(const Problem<T>& p, F&& f) {
  if (p.vectors_fit()) return f.template operator()<kVector<T>>();
  packs_fit<2>(p.channels) ? f.template operator()<2>() : f.template operator()<1>();
}

template <Filters form, int filters, class T>
void start(Cuda cuda, const char* name, const Problem<T>& p, const Conv2dOutput<T>& out) {
  using Tile = TensorTile<T, filters>;
  with_vectors(p, [&]<int size>() {
    constexpr int kMost = form == Filters::turned && filters == 64 ? 2 : 3;
    constexpr int kBlocks = std::min(kMost, size);  // narrow ones have more to keep in registers
    patch_forward<GridSampler<size, kTileRows, Tile, T>, form, filters, kBlocks, Tile>(cuda, name,
                                                                                       p, out);
  });
}

template <Filters form, class T>
void start(Cuda cuda, const char* name, const Problem<T>& p, const Conv2dOutput<T>& out) {
  p.filters <= 32 ? start<form, 32>(cuda, name, p, out) : start<form, 64>(cuda, name, p, out);
}

}  // namespace

template <class T>
void conv2d_tiles_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w, const T* b,
                          const Conv2dOutput<T>& out) {
  const Rows order = out.cell == nullptr ? Rows::pixels : Rows::windows;
  const Problem<T> p({g, 1}, {x, nullptr, nullptr, w, b}, order);
  start<Filters::plain>(cuda, "conv2d_forward", p, out);
}

// dx is dz convolved with the turned filters.
template <class T>
void conv2d_tiles_backward_data(Cuda cuda, const Conv2dGeometry& g, const T* w, const T* dz,
                                T* dx) {
  const Size2 padding{g.dilation.y * (g.R - 1) - g.padding.y,
                      g.dilation.x * (g.S - 1) - g.padding.x};
  const Conv2dGeometry turned{g.N, g.P, g.Q,      g.K,     g.C,        g.R,     g.S,
                              g.H, g.W, g.stride, padding, g.dilation, g.groups};
  const Problem<T> p({turned, 1}, {dz, nullptr, nullptr, w, nullptr}, Rows::pixels);
  start<Filters::turned>(cuda, "conv2d_backward_data", p, {.y = dx});
}

template <class T>
void conv2d_tiles_backward_filter(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* dz,
                                  T* dw, T* db) {
  using Tile = TensorTile<T, kColumns>;
  const Problem<T> p({g, 1}, {x, nullptr, nullptr, nullptr, nullptr}, Rows::pixels);
  with_vectors(p, [&]<int size>() {
    patch_weight_gradient<GridSampler<size, kGradientDepth, Tile, T>, std::min(3, size), Tile>(
        cuda, "conv2d_backward_filter", p, dz, dw, db);
  });
}

template void conv2d_tiles_forward(Cuda, const Conv2dGeometry&, const float*, const float*,
                                   const float*, const Conv2dOutput<float>&);
template void conv2d_tiles_forward(Cuda, const Conv2dGeometry&, const BFloat16*, const BFloat16*,
                                   const BFloat16*, const Conv2dOutput<BFloat16>&);
template void conv2d_tiles_backward_data(Cuda, const Conv2dGeometry&, const float*, const float*,
                                         float*);
template void conv2d_tiles_backward_data(Cuda, const Conv2dGeometry&, const BFloat16*,
                                         const BFloat16*, BFloat16*);
template void conv2d_tiles_backward_filter(Cuda, const Conv2dGeometry&, const float*, const float*,
                                           float*, float*);
template void conv2d_tiles_backward_filter(Cuda, const Conv2dGeometry&, const BFloat16*,
                                           const BFloat16*, BFloat16*, BFloat16*);

}  // namespace drape::kernels
