#include "kernels/conv2d.h"

#include <cudnn.h>

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>

#include "kernels/conv2d_one_channel.cuh"
#include "kernels/conv2d_tiles.cuh"
#include "kernels/epilogue.cuh"
#include "kernels/vendor_library.cuh"

namespace drape::kernels {
namespace {

constexpr std::size_t kMostWorkspaceBytes = std::size_t{256} << 20;

void check(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw Error(std::string("conv2d: expected ") + call + " to succeed, got " +
              DRAPE_VENDOR_FUNCTION(cudnn(), cudnnGetErrorString)(status));
}

// Calls a function of cuDNN. Error unless it succeeds.
#define DRAPE_CUDNN(function, ...) \
  check(DRAPE_VENDOR_FUNCTION(cudnn(), function)(__VA_ARGS__), #function)

cudnnHandle_t handle_on(Cuda cuda) {
  static const cudnnHandle_t instance = [] {
    cudnnHandle_t created = nullptr;
    DRAPE_CUDNN(cudnnCreate, &created);
    return created;
  }();
  DRAPE_CUDNN(cudnnSetStream, instance, cuda.stream);
  return instance;
}

void create(cudnnTensorDescriptor_t* d) {
  DRAPE_CUDNN(cudnnCreateTensorDescriptor, d);
}
void create(cudnnFilterDescriptor_t* d) {
  DRAPE_CUDNN(cudnnCreateFilterDescriptor, d);
}
void create(cudnnConvolutionDescriptor_t* d) {
  DRAPE_CUDNN(cudnnCreateConvolutionDescriptor, d);
}
void destroy(cudnnTensorDescriptor_t d) {
  DRAPE_VENDOR_FUNCTION(cudnn(), cudnnDestroyTensorDescriptor)(d);
}
void destroy(cudnnFilterDescriptor_t d) {
  DRAPE_VENDOR_FUNCTION(cudnn(), cudnnDestroyFilterDescriptor)(d);
}
void destroy(cudnnConvolutionDescriptor_t d) {
  DRAPE_VENDOR_FUNCTION(cudnn(), cudnnDestroyConvolutionDescriptor)(d);
}

// One of cuDNN's descriptors.
template <class Handle>
class Descriptor {
 public:
  Descriptor() { create(&handle_); }
  ~Descriptor() { destroy(handle_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator Handle() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

// What cuDNN is told of a convolution of f32 or bf16; sums are in f32.
struct Convolution {
  Descriptor<cudnnTensorDescriptor_t> x, y;
  Descriptor<cudnnFilterDescriptor_t> w;
  Descriptor<cudnnConvolutionDescriptor_t> convolution;

  Convolution(Cuda cuda, const Conv2dGeometry& g, cudnnDataType_t type) {
    const auto i = [](std::int64_t value) { return static_cast<int>(value); };
    DRAPE_CUDNN(cudnnSetTensor4dDescriptor, x, CUDNN_TENSOR_NHWC, type, i(g.N), i(g.C), i(g.H),
                i(g.W));
    DRAPE_CUDNN(cudnnSetTensor4dDescriptor, y, CUDNN_TENSOR_NHWC, type, i(g.N), i(g.K), i(g.P),
                i(g.Q));
    DRAPE_CUDNN(cudnnSetFilter4dDescriptor, w, type, CUDNN_TENSOR_NHWC, i(g.K), i(g.C / g.groups),
                i(g.R), i(g.S));
    DRAPE_CUDNN(cudnnSetConvolution2dDescriptor, convolution, i(g.padding.y), i(g.padding.x),
                i(g.stride.y), i(g.stride.x), i(g.dilation.y), i(g.dilation.x),
                CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT);
    DRAPE_CUDNN(cudnnSetConvolutionGroupCount, convolution, i(g.groups));
    const bool exact = type == CUDNN_DATA_FLOAT && cuda.math == Math::f32;
    DRAPE_CUDNN(cudnnSetConvolutionMathType, convolution,
                exact ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH);
  }
};

// The three products of a convolution, out = a * b: which array is which, and cuDNN's functions
// that propose algorithms and run one.
struct Forward {
  static constexpr const char* kName = "conv2d_forward";
  using Performance = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr auto a = &Convolution::x;
  static constexpr auto b = &Convolution::w;
  static constexpr auto out = &Convolution::y;
  static cudnnStatus_t propose(const auto&... arguments) {
    return DRAPE_VENDOR_FUNCTION(cudnn(), cudnnGetConvolutionForwardAlgorithm_v7)(arguments...);
  }
  static void run(const auto&... arguments) { DRAPE_CUDNN(cudnnConvolutionForward, arguments...); }
};

struct BackwardData {
  static constexpr const char* kName = "conv2d_backward_data";
  using Performance = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr auto a = &Convolution::w;
  static constexpr auto b = &Convolution::y;
  static constexpr auto out = &Convolution::x;
  static cudnnStatus_t propose(const auto&... arguments) {
    return DRAPE_VENDOR_FUNCTION(cudnn(),
                                 cudnnGetConvolutionBackwardDataAlgorithm_v7)(arguments...);
  }
  static void run(const auto&... arguments) {
    DRAPE_CUDNN(cudnnConvolutionBackwardData, arguments...);
  }
};

struct BackwardFilter {
  static constexpr const char* kName = "conv2d_backward_filter";
  using Performance = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr auto a = &Convolution::x;
  static constexpr auto b = &Convolution::y;
  static constexpr auto out = &Convolution::w;
  static cudnnStatus_t propose(const auto&... arguments) {
    return DRAPE_VENDOR_FUNCTION(cudnn(),
                                 cudnnGetConvolutionBackwardFilterAlgorithm_v7)(arguments...);
  }
  static void run(const auto&... arguments) {
    DRAPE_CUDNN(cudnnConvolutionBackwardFilter, arguments...);
  }
};

// The first of cuDNN's proposals, best first, that gives the same bits every time and is modest;
// none if there is none. Asked once for each geometry and type.
template <class Product>
std::optional<typename Product::Performance> choose(Cuda cuda, const Conv2dGeometry& g,
                                                    cudnnDataType_t type, cudnnHandle_t handle,
                                                    const Convolution& d) {
  using Performance = typename Product::Performance;
  using Key = std::array<std::int64_t, 18>;
  static std::mutex mutex;
  static std::map<Key, std::optional<Performance>> known;
  const Key key{g.N,
                g.H,
                g.W,
                g.C,
                g.K,
                g.R,
                g.S,
                g.P,
                g.Q,
                g.stride.y,
                g.stride.x,
                g.padding.y,
                g.padding.x,
                g.dilation.y,
                g.dilation.x,
                g.groups,
                static_cast<int>(cuda.math),
                type};
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  std::array<Performance, 16> proposals;
  int count = 0;
  const cudnnStatus_t status =
      Product::propose(handle, d.*Product::a, d.*Product::b, d.convolution, d.*Product::out,
                       static_cast<int>(proposals.size()), &count, proposals.data());
  constexpr int kCategory = 1000;  // of statuses; a failure of the moment is not to be remembered
  if (status / kCategory != CUDNN_STATUS_NOT_SUPPORTED / kCategory)
    check(status, "cudnnGetConvolution...Algorithm_v7");
  std::optional<Performance> choice;
  for (int i = 0; status == CUDNN_STATUS_SUCCESS && i < count && !choice; ++i) {
    const Performance& p = proposals[static_cast<std::size_t>(i)];
    if (p.status == CUDNN_STATUS_SUCCESS && p.determinism == CUDNN_DETERMINISTIC &&
        p.memory <= kMostWorkspaceBytes)
      choice = p;
  }
  return known.emplace(key, choice).first->second;
}

// out = a * b through cuDNN; false, and nothing done, if it has no algorithm for it that will do.
// Not asked in f64.
template <class Product, class T>
bool by_cudnn(Cuda cuda, const Conv2dGeometry& g, const T* a, const T* b, T* out) {
  constexpr cudnnDataType_t kType =
      std::is_same_v<T, BFloat16> ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  if (std::is_same_v<T, double>) return false;
  const cudnnHandle_t handle = handle_on(cuda);
  const Convolution d(cuda, g, kType);
  const auto choice = choose<Product>(cuda, g, kType, handle, d);
  if (!choice) return false;
  const DeviceBuffer<char> workspace(cuda, static_cast<std::int64_t>(choice->memory));
  const float one = 1.0f, zero = 0.0f;
  note_work(Product::kName);
  Product::run(handle, &one, d.*Product::a, a, d.*Product::b, b, d.convolution, choice->algo,
               workspace.data(), choice->memory, &zero, d.*Product::out, out);
  return true;
}

// The formula, one thread per result: double, and what cuDNN has no deterministic algorithm for.
template <class T>
void direct_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w, T* y) {
  const std::int64_t channels = g.C / g.groups, filters = g.K / g.groups;
  for_each(cuda, "conv2d_direct_forward", g.y_size(), [=] __device__(std::int64_t i) {
    const std::int64_t k = i % g.K, q = i / g.K % g.Q, p = i / g.K / g.Q % g.P;
    const std::int64_t n = i / g.K / g.Q / g.P;
    Accumulator<T> sum(0);
    for (std::int64_t r = 0; r < g.R; ++r) {
      for (std::int64_t s = 0; s < g.S; ++s) {
        const std::int64_t h = p * g.stride.y - g.padding.y + r * g.dilation.y;
        const std::int64_t v = q * g.stride.x - g.padding.x + s * g.dilation.x;
        if (h < 0 || h >= g.H || v < 0 || v >= g.W) continue;
        const T* pixel = x + ((n * g.H + h) * g.W + v) * g.C + k / filters * channels;
        const T* weight = w + ((k * g.R + r) * g.S + s) * channels;
        for (std::int64_t c = 0; c < channels; ++c) sum += pixel[c] * weight[c];
      }
    }
    y[i] = static_cast<T>(sum);
  });
}

// The output that pixel `input` meets with tap `tap`; -1 if there is none.
__device__ std::int64_t output_under(std::int64_t input, std::int64_t tap, std::int64_t stride,
                                     std::int64_t padding, std::int64_t dilation,
                                     std::int64_t outputs) {
  const std::int64_t steps = input + padding - tap * dilation;
  if (steps < 0 || steps % stride != 0 || steps / stride >= outputs) return -1;
  return steps / stride;
}

template <class T>
void direct_backward_data(Cuda cuda, const Conv2dGeometry& g, const T* w, const T* dz, T* dx) {
  const std::int64_t channels = g.C / g.groups, filters = g.K / g.groups;
  for_each(cuda, "conv2d_direct_backward_data", g.x_size(), [=] __device__(std::int64_t i) {
    const std::int64_t c = i % g.C, v = i / g.C % g.W, h = i / g.C / g.W % g.H;
    const std::int64_t n = i / g.C / g.W / g.H, group = c / channels;
    Accumulator<T> sum(0);
    for (std::int64_t r = 0; r < g.R; ++r) {
      for (std::int64_t s = 0; s < g.S; ++s) {
        const std::int64_t p = output_under(h, r, g.stride.y, g.padding.y, g.dilation.y, g.P);
        const std::int64_t q = output_under(v, s, g.stride.x, g.padding.x, g.dilation.x, g.Q);
        if (p < 0 || q < 0) continue;
        const T* gradient = dz + ((n * g.P + p) * g.Q + q) * g.K;
        for (std::int64_t k = group * filters; k < (group + 1) * filters; ++k) {
          sum += gradient[k] * w[((k * g.R + r) * g.S + s) * channels + c % channels];
        }
      }
    }
    dx[i] = static_cast<T>(sum);
  });
}

template <class T>
void direct_backward_filter(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* dz, T* dw) {
  const std::int64_t channels = g.C / g.groups, filters = g.K / g.groups;
  for_each(cuda, "conv2d_direct_backward_filter", g.w_size(), [=] __device__(std::int64_t i) {
    const std::int64_t c = i % channels, s = i / channels % g.S, r = i / channels / g.S % g.R;
    const std::int64_t k = i / channels / g.S / g.R;
    Accumulator<T> sum(0);
    for (std::int64_t m = 0; m < g.N * g.P * g.Q; ++m) {
      const std::int64_t n = m / g.Q / g.P;
      const std::int64_t h = m / g.Q % g.P * g.stride.y - g.padding.y + r * g.dilation.y;
      const std::int64_t v = m % g.Q * g.stride.x - g.padding.x + s * g.dilation.x;
      if (h < 0 || h >= g.H || v < 0 || v >= g.W) continue;
      sum += x[((n * g.H + h) * g.W + v) * g.C + k / filters * channels + c] * dz[m * g.K + k];
    }
    dw[i] = static_cast<T>(sum);
  });
}

template <class T>
void backward_data(Cuda cuda, const Conv2dGeometry& g, const T* w, const T* dz, T* dx) {
  if constexpr (!std::is_same_v<T, double>) {
    if (conv2d_fits_tiles<T>(cuda, g) && g.stride == Size2{1})
      return conv2d_tiles_backward_data(cuda, g, w, dz, dx);
  }
  if (!by_cudnn<BackwardData>(cuda, g, w, dz, dx)) direct_backward_data(cuda, g, w, dz, dx);
}

// dw, and db unless that is null.
template <class T>
void backward_filter(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* dz, T* dw, T* db) {
  if constexpr (!std::is_same_v<T, double>) {
    if (conv2d_fits_tiles<T>(cuda, g)) return conv2d_tiles_backward_filter(cuda, g, x, dz, dw, db);
  }
  if (db != nullptr) column_sums(cuda, g.N * g.P * g.Q, g.K, dz, db);
  if (!by_cudnn<BackwardFilter>(cuda, g, x, dz, dw)) direct_backward_filter(cuda, g, x, dz, dw);
}

// y, cell = the largest of each 2x2 window of act(z + b).
template <int size, class T>
void add_bias_activate_pool(Cuda cuda, const Conv2dGeometry& g, const T* z, const T* b,
                            const Conv2dOutput<T>& out) {
  using A = Accumulator<T>;
  const std::int64_t P = g.P / 2, Q = g.Q / 2, packs = g.K / size;
  for_each(cuda, "add_bias_activate_pool", g.N * P * Q * packs, [=] __device__(std::int64_t i) {
    const std::int64_t window = i / packs, k = (i - window * packs) * size;
    const std::int64_t row = window / Q, q = window - row * Q, n = row / P, p = row - n * P;
    const T* corner = z + ((n * g.P + 2 * p) * g.Q + 2 * q) * g.K + k;
    Pack<T, size> values[4], y;
    Pack<std::uint8_t, size> cells;
    for (int c = 0; c < 4; ++c) values[c] = load<size>(corner + (c / 2 * g.Q + c % 2) * g.K);
    for (int j = 0; j < size; ++j) {
      const A bias = b == nullptr ? A(0) : A(b[k + j]);
      const auto value = [&](int c) { return A(values[c].value[j]) + bias; };
      const Largest<A> largest = largest_of_window<A>(out.activation, value);
      y.value[j] = static_cast<T>(largest.value);
      cells.value[j] = largest.cell;
    }
    store(out.y + i * size, y);
    store(out.cell + i * size, cells);
  });
}

}  // namespace

template <class T>
void conv2d_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w, const T* b,
                    const Conv2dOutput<T>& out) {
  if (g.C == 1) return conv2d_one_channel_forward(cuda, g, x, w, b, out);
  if constexpr (!std::is_same_v<T, double>) {
    if (conv2d_fits_tiles<T>(cuda, g)) return conv2d_tiles_forward(cuda, g, x, w, b, out);
  }
  const bool pooled = out.cell != nullptr;
  const DeviceBuffer<T> whole(cuda, pooled ? g.y_size() : 0);
  T* z = pooled ? whole.data() : out.y;
  if (!by_cudnn<Forward>(cuda, g, x, w, z)) direct_forward(cuda, g, x, w, z);
  if (pooled) {
    const bool packs = packs_fit(g.K);
    return packs ? add_bias_activate_pool<kPack>(cuda, g, z, b, out)
                 : add_bias_activate_pool<1>(cuda, g, z, b, out);
  }
  add_bias_activate(cuda, g.N * g.P * g.Q, g.K, b, out.activation, z);
}

template <class T>
void conv2d_backward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w,
                     const Conv2dOutput<const T>& out, const T* dy, const Conv2dGradients<T>& d) {
  if (g.C == 1 && (d.dw != nullptr || d.db != nullptr)) {
    conv2d_one_channel_backward(cuda, g, x, out, dy, d);
    if (d.dx != nullptr) conv2d_backward<T>(cuda, g, x, w, out, dy, {d.dx, nullptr, nullptr});
    return;
  }
  const OutputGradient<T> gradient(cuda, g, out, dy, d.db);
  const T* dz = gradient.dz();
  if (d.dx != nullptr) backward_data(cuda, g, w, dz, d.dx);
  if (d.dw != nullptr) {
    backward_filter(cuda, g, x, dz, d.dw, gradient.db());
  } else if (gradient.db() != nullptr) {
    column_sums(cuda, g.N * g.P * g.Q, g.K, dz, gradient.db());
  }
}

template void conv2d_forward(Cuda, const Conv2dGeometry&, const float*, const float*, const float*,
                             const Conv2dOutput<float>&);
template void conv2d_forward(Cuda, const Conv2dGeometry&, const double*, const double*,
                             const double*, const Conv2dOutput<double>&);
template void conv2d_forward(Cuda, const Conv2dGeometry&, const BFloat16*, const BFloat16*,
                             const BFloat16*, const Conv2dOutput<BFloat16>&);
template void conv2d_backward(Cuda, const Conv2dGeometry&, const float*, const float*,
                              const Conv2dOutput<const float>&, const float*,
                              const Conv2dGradients<float>&);
template void conv2d_backward(Cuda, const Conv2dGeometry&, const double*, const double*,
                              const Conv2dOutput<const double>&, const double*,
                              const Conv2dGradients<double>&);
template void conv2d_backward(Cuda, const Conv2dGeometry&, const BFloat16*, const BFloat16*,
                              const Conv2dOutput<const BFloat16>&, const BFloat16*,
                              const Conv2dGradients<BFloat16>&);

}  // namespace drape::kernels
