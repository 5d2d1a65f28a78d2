// The calls of cuBLASLt that drape makes, computed by plain loops over columns: linked in place of
// the library.
#include <cublasLt.h>

#include <cstdint>
#include <cstring>
#include <new>

#include "tests/emulator/device_memory.h"

using namespace drape::emulator;

namespace {

constexpr std::uint64_t kAlgorithm = 7;

struct Product {
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
};

struct Layout {
  cudaDataType type;
  std::int64_t rows, columns, stride;

  std::int64_t elements() const { return columns == 0 ? 0 : (columns - 1) * stride + rows; }
};

template <class T, class Opaque>
T& content(Opaque* opaque) {
  static_assert(sizeof(T) <= sizeof(opaque->data));
  return *std::launder(reinterpret_cast<T*>(opaque->data));
}

bool holds(const void* memory, const Layout& layout) {
  const std::size_t size = layout.type == CUDA_R_64F ? sizeof(double) : sizeof(float);
  return is_device_memory(memory, static_cast<std::size_t>(layout.elements()) * size);
}

template <class T>
void multiply(const Product& product, T alpha, const T* a, const Layout& a_layout, const T* b,
              const Layout& b_layout, T beta, T* d, const Layout& layout) {
  const auto at = [](const T* m, const Layout& l, cublasOperation_t op, std::int64_t row,
                     std::int64_t column) {
    return static_cast<double>(op == CUBLAS_OP_N ? m[column * l.stride + row]
                                                 : m[row * l.stride + column]);
  };
  const std::int64_t inner = product.a == CUBLAS_OP_N ? a_layout.columns : a_layout.rows;
  const T* bias = static_cast<const T*>(product.bias);
  for (std::int64_t column = 0; column < layout.columns; ++column) {
    for (std::int64_t row = 0; row < layout.rows; ++row) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < inner; ++i) {
        sum += at(a, a_layout, product.a, row, i) * at(b, b_layout, product.b, i, column);
      }
      T& out = d[column * layout.stride + row];
      const T before = beta == T(0) ? T(0) : beta * out;
      const bool biased = product.epilogue == CUBLASLT_EPILOGUE_BIAS;
      out = alpha * static_cast<T>(sum) + before + (biased ? bias[row] : T(0));
    }
  }
}

}  // namespace

extern "C" {

const char* cublasLtGetStatusString(cublasStatus_t) {
  return "an error of the emulator's";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  static int context;
  *handle = reinterpret_cast<cublasLtHandle_t>(&context);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t stride) {
  if (stride < static_cast<std::int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new cublasLtMatrixLayoutOpaque_t{};
  new ((*layout)->data)
      Layout{type, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), stride};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t compute,
                                        cudaDataType scale) {
  const bool f64 = scale == CUDA_R_64F;
  if ((compute == CUBLAS_COMPUTE_64F) != f64) return CUBLAS_STATUS_NOT_SUPPORTED;
  *product = new cublasLtMatmulDescOpaque_t{};
  new ((*product)->data) Product{};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
  delete product;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  Product& p = content<Product>(product);
  const auto set = [&](auto& field) {
    if (bytes != sizeof(field)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&field, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return set(p.a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return set(p.b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return set(p.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return set(p.bias);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t{};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                                    cublasLtMatmulPreferenceAttributes_t,
                                                    const void*, std::size_t) {
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t, int most,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  *count = most < 1 ? 0 : 1;
  if (most < 1) return CUBLAS_STATUS_INVALID_VALUE;
  results[0] = {};
  results[0].algo.data[0] = kAlgorithm;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product_handle,
                              const void* alpha, const void* a, cublasLtMatrixLayout_t a_handle,
                              const void* b, cublasLtMatrixLayout_t b_handle, const void* beta,
                              const void* c, cublasLtMatrixLayout_t c_handle, void* d,
                              cublasLtMatrixLayout_t d_handle,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              std::size_t bytes, cudaStream_t) {
  const Product& product = content<Product>(product_handle);
  const Layout &al = content<Layout>(a_handle), &bl = content<Layout>(b_handle),
               &dl = content<Layout>(d_handle);
  const bool a_plain = product.a == CUBLAS_OP_N, b_plain = product.b == CUBLAS_OP_N;
  const bool fits = (a_plain ? al.rows : al.columns) == dl.rows &&
                    (b_plain ? bl.columns : bl.rows) == dl.columns &&
                    (a_plain ? al.columns : al.rows) == (b_plain ? bl.rows : bl.columns);
  const Layout bias{dl.type, dl.rows, 1, dl.rows};
  const bool biased = product.epilogue == CUBLASLT_EPILOGUE_BIAS;
  if (!fits || c != d || c_handle != d_handle || algorithm->data[0] != kAlgorithm ||
      !is_device_memory(workspace, bytes) || !holds(a, al) || !holds(b, bl) || !holds(d, dl) ||
      (biased && !holds(product.bias, bias)))
    return CUBLAS_STATUS_INVALID_VALUE;
  const DeviceMemoryAccess access;
  if (dl.type == CUDA_R_64F) {
    multiply(product, *static_cast<const double*>(alpha), static_cast<const double*>(a), al,
             static_cast<const double*>(b), bl, *static_cast<const double*>(beta),
             static_cast<double*>(d), dl);
  } else {
    multiply(product, *static_cast<const float*>(alpha), static_cast<const float*>(a), al,
             static_cast<const float*>(b), bl, *static_cast<const float*>(beta),
             static_cast<float*>(d), dl);
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
