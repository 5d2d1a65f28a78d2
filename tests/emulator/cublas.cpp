// The calls of cuBLASLt that drape makes, computed by plain loops over columns: linked in place of
// the library.
#include <cublasLt.h>

#include <cstdint>
#include <cstring>
#include <new>

#include "kernels/bfloat16.h"
#include "tests/emulator/device_memory.h"
#include "tests/emulator/graph.h"

using namespace drape;
using namespace drape::emulator;

namespace {

constexpr std::uint64_t kAlgorithm = 7;
constexpr std::size_t kWorkspaceBytes = 64;

struct Product {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;  // read by _BIAS, written by _BGRADB
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

std::size_t size_of(cudaDataType type) {
  return type == CUDA_R_64F   ? sizeof(double)
         : type == CUDA_R_32F ? sizeof(float)
                              : sizeof(BFloat16);
}

bool holds(const void* memory, const Layout& layout) {
  return is_device_memory(memory,
                          static_cast<std::size_t>(layout.elements()) * size_of(layout.type));
}

// Whether the library multiplies matrices of this type that way: bf16 sums in f32, not in TF32.
bool fits_compute(const Product& product, cudaDataType type) {
  switch (type) {
    case CUDA_R_64F:
      return product.compute == CUBLAS_COMPUTE_64F;
    case CUDA_R_32F:
      return product.compute == CUBLAS_COMPUTE_32F ||
             product.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    default:
      return type == CUDA_R_16BF && product.compute == CUBLAS_COMPUTE_32F;
  }
}

// Scales are of the type that is computed in, and every result is rounded once.
template <class T>
void multiply(const Product& product, double alpha, const void* left, const Layout& a_layout,
              const void* right, const Layout& b_layout, double beta, void* out,
              const Layout& layout) {
  using A = Accumulator<T>;
  const A scale = static_cast<A>(alpha), kept = static_cast<A>(beta);
  const T *a = static_cast<const T*>(left), *b = static_cast<const T*>(right);
  T* d = static_cast<T*>(out);
  const auto at = [](const T* m, const Layout& l, cublasOperation_t op, std::int64_t row,
                     std::int64_t column) {
    return static_cast<double>(op == CUBLAS_OP_N ? m[column * l.stride + row]
                                                 : m[row * l.stride + column]);
  };
  const std::int64_t inner = product.a == CUBLAS_OP_N ? a_layout.columns : a_layout.rows;
  T* bias = static_cast<T*>(product.bias);
  for (std::int64_t column = 0; column < layout.columns; ++column) {
    if (product.epilogue == CUBLASLT_EPILOGUE_BGRADB) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < inner; ++i) sum += at(b, b_layout, product.b, i, column);
      bias[column] = static_cast<T>(static_cast<A>(sum));
    }
    for (std::int64_t row = 0; row < layout.rows; ++row) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < inner; ++i) {
        sum += at(a, a_layout, product.a, row, i) * at(b, b_layout, product.b, i, column);
      }
      T& element = d[column * layout.stride + row];
      const A before = kept == A(0) ? A(0) : kept * element;
      const A added = product.epilogue == CUBLASLT_EPILOGUE_BIAS ? A(bias[row]) : A(0);
      element = static_cast<T>(scale * static_cast<A>(sum) + before + added);
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
  const AtWork at_work;
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
  const AtWork at_work;
  const bool f64 = compute == CUBLAS_COMPUTE_64F;
  if (scale != (f64 ? CUDA_R_64F : CUDA_R_32F)) return CUBLAS_STATUS_NOT_SUPPORTED;
  *product = new cublasLtMatmulDescOpaque_t{};
  new ((*product)->data) Product{.compute = compute};
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
  const AtWork at_work;
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

// Nothing sums a matrix of f64 on the side.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t product,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t, int most,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  *count = most < 1 ? 0 : 1;
  if (most < 1) return CUBLAS_STATUS_INVALID_VALUE;
  if (content<Product>(product).epilogue == CUBLASLT_EPILOGUE_BGRADB &&
      content<Layout>(a).type == CUDA_R_64F) {
    *count = 0;
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  results[0] = {};
  results[0].algo.data[0] = kAlgorithm;
  results[0].workspaceSize = kWorkspaceBytes;
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
  const bool sums = product.epilogue == CUBLASLT_EPILOGUE_BGRADB;
  const std::int64_t length = sums ? dl.columns : dl.rows;
  const Layout bias{dl.type, length, 1, length};
  const bool biased = sums || product.epilogue == CUBLASLT_EPILOGUE_BIAS;
  const bool typed = al.type == dl.type && bl.type == dl.type && fits_compute(product, dl.type);
  if (!fits || !typed || c != d || c_handle != d_handle || algorithm->data[0] != kAlgorithm ||
      bytes != kWorkspaceBytes || !is_device_memory(workspace, bytes) || !holds(a, al) ||
      !holds(b, bl) || !holds(d, dl) || (biased && !holds(product.bias, bias)))
    return CUBLAS_STATUS_INVALID_VALUE;
  const auto run = dl.type == CUDA_R_64F   ? multiply<double>
                   : dl.type == CUDA_R_32F ? multiply<float>
                                           : multiply<BFloat16>;
  const auto scale_of = [&](const void* scale) {
    return dl.type == CUDA_R_64F ? *static_cast<const double*>(scale)
                                 : static_cast<double>(*static_cast<const float*>(scale));
  };
  submit(Work::kernel, [=, product = product, al = al, bl = bl, dl = dl, alpha = scale_of(alpha),
                        beta = scale_of(beta)] {
    const DeviceMemoryAccess access;
    run(product, alpha, a, al, b, bl, beta, d, dl);
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
