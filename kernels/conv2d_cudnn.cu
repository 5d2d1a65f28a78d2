#include "kernels/conv2d_cudnn.cuh"

#include <cudnn.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>

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

// cuDNN's handle on the tag's stream. One thread at a time has it, as cuDNN asks.
class Handle {
 public:
  explicit Handle(Cuda cuda) : lock_(mutex()) { DRAPE_CUDNN(cudnnSetStream, get(), cuda.stream); }
  operator cudnnHandle_t() const { return get(); }

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static cudnnHandle_t get() {
    static const cudnnHandle_t instance = [] {
      cudnnHandle_t created = nullptr;
      DRAPE_CUDNN(cudnnCreate, &created);
      return created;
    }();
    return instance;
  }

  std::lock_guard<std::mutex> lock_;
};

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
                                                    cudnnDataType_t type, const Handle& handle,
                                                    const Convolution& d) {
  using Performance = typename Product::Performance;
  using Key = std::tuple<Conv2dGeometry, Math, cudnnDataType_t>;
  static std::map<Key, std::optional<Performance>> known;
  const Key key{g, cuda.math, type};
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

// out = a * b through cuDNN.
template <class Product, class T>
bool by_cudnn(Cuda cuda, const Conv2dGeometry& g, const T* a, const T* b, T* out) {
  constexpr cudnnDataType_t kType =
      std::is_same_v<T, BFloat16> ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  if (std::is_same_v<T, double>) return false;
  constexpr std::int64_t kMostElements = INT32_MAX;  // of a tensor that cuDNN takes
  if (std::max({g.x_size(), g.y_size(), g.w_size()}) > kMostElements) return false;
  const Handle handle(cuda);
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

}  // namespace

template <class T>
bool cudnn_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w, T* z) {
  return by_cudnn<Forward>(cuda, g, x, w, z);
}

template <class T>
bool cudnn_backward_data(Cuda cuda, const Conv2dGeometry& g, const T* w, const T* dz, T* dx) {
  return by_cudnn<BackwardData>(cuda, g, w, dz, dx);
}

template <class T>
bool cudnn_backward_filter(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* dz, T* dw) {
  return by_cudnn<BackwardFilter>(cuda, g, x, dz, dw);
}

template bool cudnn_forward(Cuda, const Conv2dGeometry&, const float*, const float*, float*);
template bool cudnn_forward(Cuda, const Conv2dGeometry&, const double*, const double*, double*);
template bool cudnn_forward(Cuda, const Conv2dGeometry&, const BFloat16*, const BFloat16*,
                            BFloat16*);
template bool cudnn_backward_data(Cuda, const Conv2dGeometry&, const float*, const float*, float*);
template bool cudnn_backward_data(Cuda, const Conv2dGeometry&, const double*, const double*,
                                  double*);
template bool cudnn_backward_data(Cuda, const Conv2dGeometry&, const BFloat16*, const BFloat16*,
                                  BFloat16*);
template bool cudnn_backward_filter(Cuda, const Conv2dGeometry&, const float*, const float*,
                                    float*);
template bool cudnn_backward_filter(Cuda, const Conv2dGeometry&, const double*, const double*,
                                    double*);
template bool cudnn_backward_filter(Cuda, const Conv2dGeometry&, const BFloat16*, const BFloat16*,
                                    BFloat16*);

}  // namespace drape::kernels
