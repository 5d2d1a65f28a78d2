// The calls of cuDNN that drape makes, computed by the CPU backend: linked in place of the library,
// so that descriptors, sizes and pointers are tested without a device.
#include <cudnn.h>

#include <vector>

#include "kernels/bfloat16.h"
#include "kernels/conv2d.h"
#include "tests/emulator/device_memory.h"
#include "tests/emulator/graph.h"

using namespace drape;
using namespace drape::emulator;

struct cudnnContext {};
struct cudnnTensorStruct {
  cudnnDataType_t type;
  int n, c, h, w;
};
struct cudnnFilterStruct {
  cudnnDataType_t type;
  int k, c, h, w;
};
struct cudnnConvolutionStruct {
  Size2 padding, stride, dilation;
  int groups = 1;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

namespace {

constexpr std::size_t kWorkspaceBytes = 64;

Conv2dGeometry geometry_of(const cudnnTensorStruct& x, const cudnnFilterStruct& w,
                           const cudnnConvolutionStruct& c, const cudnnTensorStruct& y) {
  return {.N = x.n,
          .H = x.h,
          .W = x.w,
          .C = x.c,
          .K = w.k,
          .R = w.h,
          .S = w.w,
          .P = y.h,
          .Q = y.w,
          .stride = c.stride,
          .padding = c.padding,
          .dilation = c.dilation,
          .groups = c.groups};
}

// Whether the descriptors fit together. Products of bf16 are those of tensor cores.
bool consistent(const Conv2dGeometry& g, const cudnnTensorStruct& x, const cudnnTensorStruct& y,
                const cudnnFilterStruct& w, const cudnnConvolutionStruct& c) {
  if (x.type != y.type || x.type != w.type) return false;
  if (x.type == CUDNN_DATA_BFLOAT16 && c.math != CUDNN_DEFAULT_MATH) return false;
  const auto size = [](std::int64_t input, std::int64_t window, std::int64_t stride,
                       std::int64_t padding, std::int64_t dilation) {
    return output_size("cudnn", input, window, stride, padding, dilation);
  };
  return y.n == g.N && y.c == g.K && w.c * g.groups == g.C &&
         g.P == size(g.H, g.R, g.stride.y, g.padding.y, g.dilation.y) &&
         g.Q == size(g.W, g.S, g.stride.x, g.padding.x, g.dilation.x);
}

// As if the library had nothing for depthwise convolution: the caller must do without.
bool supported(const Conv2dGeometry& g) {
  return g.groups == 1 || g.C > g.groups;
}

// Two proposals; the first is not deterministic.
template <class Performance>
cudnnStatus_t propose(const Conv2dGeometry& g, int most, int* count, Performance* proposals) {
  if (!supported(g)) return CUDNN_STATUS_NOT_SUPPORTED;
  *count = most < 2 ? most : 2;
  for (int i = 0; i < *count; ++i) {
    proposals[i] = {};
    proposals[i].algo = static_cast<decltype(Performance::algo)>(i);
    proposals[i].status = CUDNN_STATUS_SUCCESS;
    proposals[i].memory = kWorkspaceBytes;
    proposals[i].determinism = i == 0 ? CUDNN_NON_DETERMINISTIC : CUDNN_DETERMINISTIC;
  }
  return CUDNN_STATUS_SUCCESS;
}

// What every call checks: the proposed algorithm, its workspace, plain scaling, memory on the
// device.
bool callable(int algorithm, const void* workspace, std::size_t bytes, const void* alpha,
              const void* beta) {
  return algorithm == 1 && bytes == kWorkspaceBytes && is_device_memory(workspace, bytes) &&
         *static_cast<const float*>(alpha) == 1.0f && *static_cast<const float*>(beta) == 0.0f;
}
bool known(cudnnDataType_t type) {
  return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_BFLOAT16;
}
bool holds(const void* memory, std::int64_t elements, cudnnDataType_t type) {
  const std::size_t size = type == CUDNN_DATA_FLOAT ? sizeof(float) : sizeof(BFloat16);
  return is_device_memory(memory, static_cast<std::size_t>(elements) * size);
}

// Device memory as floats, to compute in.
std::vector<float> read(const void* memory, std::int64_t elements, cudnnDataType_t type) {
  if (type == CUDNN_DATA_FLOAT) {
    const auto* values = static_cast<const float*>(memory);
    return {values, values + elements};
  }
  const auto* values = static_cast<const BFloat16*>(memory);
  return {values, values + elements};
}

// Floats to device memory, where they are rounded once.
void write(const std::vector<float>& values, cudnnDataType_t type, void* memory) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == CUDNN_DATA_FLOAT) {
      static_cast<float*>(memory)[i] = values[i];
    } else {
      static_cast<BFloat16*>(memory)[i] = BFloat16(values[i]);
    }
  }
}

}  // namespace

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  static cudnnContext context;
  *handle = &context;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t) {
  return CUDNN_STATUS_SUCCESS;
}
const char* cudnnGetErrorString(cudnnStatus_t) {
  return "CUDNN_STATUS_BAD_PARAM";
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
  const AtWork at_work;
  *descriptor = new cudnnTensorStruct{};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor,
                                         cudnnTensorFormat_t format, cudnnDataType_t type, int n,
                                         int c, int h, int w) {
  if (format != CUDNN_TENSOR_NHWC || !known(type)) return CUDNN_STATUS_BAD_PARAM;
  *descriptor = {type, n, c, h, w};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor) {
  const AtWork at_work;
  *descriptor = new cudnnFilterStruct{};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  if (format != CUDNN_TENSOR_NHWC || !known(type)) return CUDNN_STATUS_BAD_PARAM;
  *descriptor = {type, k, c, h, w};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor) {
  const AtWork at_work;
  *descriptor = new cudnnConvolutionStruct{};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor, int pad_h,
                                              int pad_w, int stride_h, int stride_w, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute) {
  if (mode != CUDNN_CROSS_CORRELATION || compute != CUDNN_DATA_FLOAT) return CUDNN_STATUS_BAD_PARAM;
  *descriptor = {{pad_h, pad_w}, {stride_h, stride_w}, {dilation_h, dilation_w}};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups) {
  descriptor->groups = groups;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor,
                                          cudnnMathType_t math) {
  descriptor->math = math;
  return math == CUDNN_DEFAULT_MATH || math == CUDNN_FMA_MATH ? CUDNN_STATUS_SUCCESS
                                                              : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                     const cudnnFilterDescriptor_t w,
                                                     const cudnnConvolutionDescriptor_t c,
                                                     const cudnnTensorDescriptor_t y,
                                                     const int most, int* count,
                                                     cudnnConvolutionFwdAlgoPerf_t* proposals) {
  return propose(geometry_of(*x, *w, *c, *y), most, count, proposals);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t c, const cudnnTensorDescriptor_t dx, const int most,
    int* count, cudnnConvolutionBwdDataAlgoPerf_t* proposals) {
  return propose(geometry_of(*dx, *w, *c, *dy), most, count, proposals);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t c, const cudnnFilterDescriptor_t dw, const int most,
    int* count, cudnnConvolutionBwdFilterAlgoPerf_t* proposals) {
  return propose(geometry_of(*x, *dw, *c, *dy), most, count, proposals);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t, const void* alpha,
                                      const cudnnTensorDescriptor_t x_shape, const void* x,
                                      const cudnnFilterDescriptor_t w_shape, const void* w,
                                      const cudnnConvolutionDescriptor_t c,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                      std::size_t bytes, const void* beta,
                                      const cudnnTensorDescriptor_t y_shape, void* y) {
  const Conv2dGeometry g = geometry_of(*x_shape, *w_shape, *c, *y_shape);
  const cudnnDataType_t type = x_shape->type;
  if (!consistent(g, *x_shape, *y_shape, *w_shape, *c) ||
      !callable(algorithm, workspace, bytes, alpha, beta) || !holds(x, g.x_size(), type) ||
      !holds(w, g.w_size(), type) || !holds(y, g.y_size(), type))
    return CUDNN_STATUS_BAD_PARAM;
  submit(Work::kernel, [=] {
    const DeviceMemoryAccess access;
    const std::vector<float> image = read(x, g.x_size(), type), filter = read(w, g.w_size(), type);
    std::vector<float> result(static_cast<std::size_t>(g.y_size()));
    kernels::conv2d_forward<float>(Cpu{}, g, image.data(), filter.data(), nullptr,
                                   {.y = result.data()});
    write(result, type, y);
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t, const void* alpha,
                                           const cudnnFilterDescriptor_t w_shape, const void* w,
                                           const cudnnTensorDescriptor_t dy_shape, const void* dy,
                                           const cudnnConvolutionDescriptor_t c,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           std::size_t bytes, const void* beta,
                                           const cudnnTensorDescriptor_t dx_shape, void* dx) {
  const Conv2dGeometry g = geometry_of(*dx_shape, *w_shape, *c, *dy_shape);
  const cudnnDataType_t type = dx_shape->type;
  if (!consistent(g, *dx_shape, *dy_shape, *w_shape, *c) ||
      !callable(algorithm, workspace, bytes, alpha, beta) || !holds(dx, g.x_size(), type) ||
      !holds(w, g.w_size(), type) || !holds(dy, g.y_size(), type))
    return CUDNN_STATUS_BAD_PARAM;
  submit(Work::kernel, [=] {
    const DeviceMemoryAccess access;
    const std::vector<float> filter = read(w, g.w_size(), type), dz = read(dy, g.y_size(), type);
    std::vector<float> result(static_cast<std::size_t>(g.x_size()));
    const float* const unread = nullptr;  // x is read for dw only
    kernels::conv2d_backward<float>(Cpu{}, g, unread, filter.data(), {}, dz.data(),
                                    {.dx = result.data()});
    write(result, type, dx);
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t, const void* alpha,
                                             const cudnnTensorDescriptor_t x_shape, const void* x,
                                             const cudnnTensorDescriptor_t dy_shape, const void* dy,
                                             const cudnnConvolutionDescriptor_t c,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm,
                                             void* workspace, std::size_t bytes, const void* beta,
                                             const cudnnFilterDescriptor_t dw_shape, void* dw) {
  const Conv2dGeometry g = geometry_of(*x_shape, *dw_shape, *c, *dy_shape);
  const cudnnDataType_t type = x_shape->type;
  if (!consistent(g, *x_shape, *dy_shape, *dw_shape, *c) ||
      !callable(algorithm, workspace, bytes, alpha, beta) || !holds(x, g.x_size(), type) ||
      !holds(dw, g.w_size(), type) || !holds(dy, g.y_size(), type))
    return CUDNN_STATUS_BAD_PARAM;
  submit(Work::kernel, [=] {
    const DeviceMemoryAccess access;
    const std::vector<float> image = read(x, g.x_size(), type), dz = read(dy, g.y_size(), type);
    std::vector<float> result(static_cast<std::size_t>(g.w_size()));
    const float* const unread = nullptr;  // w is read for dx only
    kernels::conv2d_backward<float>(Cpu{}, g, image.data(), unread, {}, dz.data(),
                                    {.dw = result.data()});
    write(result, type, dw);
  });
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
