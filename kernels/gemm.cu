#include <cublasLt.h>

#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "kernels/column_sums.cuh"
#include "kernels/gemm.h"
#include "kernels/vendor_library.cuh"

namespace drape::kernels {
namespace {

constexpr std::size_t kMostWorkspaceBytes = std::size_t{32} << 20;

void check(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(std::string("gemm: expected ") + call + " to succeed, got " +
              DRAPE_VENDOR_FUNCTION(cublas(), cublasLtGetStatusString)(status));
}

// Calls a function of cuBLASLt. Error unless it succeeds.
#define DRAPE_CUBLAS(function, ...) \
  check(DRAPE_VENDOR_FUNCTION(cublas(), function)(__VA_ARGS__), #function)

cublasLtHandle_t handle() {
  static const cublasLtHandle_t instance = [] {
    cublasLtHandle_t created = nullptr;
    DRAPE_CUBLAS(cublasLtCreate, &created);
    return created;
  }();
  return instance;
}

// A matrix as cuBLAS sees it: our rows are its columns.
class Layout {
 public:
  Layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
    DRAPE_CUBLAS(cublasLtMatrixLayoutCreate, &layout_, type, static_cast<std::uint64_t>(columns),
                 static_cast<std::uint64_t>(rows), stride);
  }
  ~Layout() { DRAPE_VENDOR_FUNCTION(cublas(), cublasLtMatrixLayoutDestroy)(layout_); }
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;
  operator cublasLtMatrixLayout_t() const { return layout_; }

 private:
  cublasLtMatrixLayout_t layout_ = nullptr;
};

// How two matrices are multiplied.
class Product {
 public:
  Product(cublasComputeType_t compute, cudaDataType_t scale) {
    DRAPE_CUBLAS(cublasLtMatmulDescCreate, &product_, compute, scale);
  }
  ~Product() { DRAPE_VENDOR_FUNCTION(cublas(), cublasLtMatmulDescDestroy)(product_); }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  operator cublasLtMatmulDesc_t() const { return product_; }

  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    DRAPE_CUBLAS(cublasLtMatmulDescSetAttribute, product_, attribute, &value, sizeof(value));
  }

 private:
  cublasLtMatmulDesc_t product_ = nullptr;
};

// What decides which algorithm is fastest.
using Key = std::array<std::int64_t, 11>;

// Asks for algorithms that need no more workspace than that, and round no sum on the way.
class Preference {
 public:
  Preference() {
    DRAPE_CUBLAS(cublasLtMatmulPreferenceCreate, &preference_);
    DRAPE_CUBLAS(cublasLtMatmulPreferenceSetAttribute, preference_,
                 CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kMostWorkspaceBytes,
                 sizeof(kMostWorkspaceBytes));
    constexpr std::uint32_t kSchemes =
        CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    DRAPE_CUBLAS(cublasLtMatmulPreferenceSetAttribute, preference_,
                 CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &kSchemes, sizeof(kSchemes));
  }
  ~Preference() { DRAPE_VENDOR_FUNCTION(cublas(), cublasLtMatmulPreferenceDestroy)(preference_); }
  Preference(const Preference&) = delete;
  Preference& operator=(const Preference&) = delete;
  operator cublasLtMatmulPreference_t() const { return preference_; }

 private:
  cublasLtMatmulPreference_t preference_ = nullptr;
};

using Proposal = std::optional<cublasLtMatmulHeuristicResult_t>;

// The algorithm that the library proposes first for such a product, and the workspace that it
// needs, if it has one; asked once for each.
Proposal proposal_for(const Key& key, const Product& product, const Layout& a, const Layout& b,
                      const Layout& c) {
  static std::mutex mutex;
  static std::map<Key, Proposal> known;
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  cublasLtMatmulHeuristicResult_t result{};
  int count = 0;
  const cublasStatus_t status = DRAPE_VENDOR_FUNCTION(cublas(), cublasLtMatmulAlgoGetHeuristic)(
      handle(), product, a, b, c, c, Preference(), 1, &result, &count);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status, "cublasLtMatmulAlgoGetHeuristic");
  const bool found = status == CUBLAS_STATUS_SUCCESS && count > 0;
  return known.emplace(key, found ? Proposal(result) : Proposal()).first->second;
}

template <class T>
constexpr cudaDataType_t kType = CUDA_R_32F;
template <>
constexpr cudaDataType_t kType<double> = CUDA_R_64F;
template <>
constexpr cudaDataType_t kType<BFloat16> = CUDA_R_16BF;

cublasComputeType_t compute_type(Cuda cuda, cudaDataType_t type) {
  if (type == CUDA_R_64F) return CUBLAS_COMPUTE_64F;
  const bool tf32 = type == CUDA_R_32F && cuda.math == Math::tf32;
  return tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

}  // namespace

template <class T>
void gemm(Cuda cuda, std::int64_t M, std::int64_t N, std::int64_t K, MatrixView<T> a,
          MatrixView<T> b, const GemmExtras<T>& extras, T* c, std::int64_t c_stride) {
  const cudaDataType_t type = kType<T>;
  const cublasComputeType_t compute = compute_type(cuda, type);
  const bool a_plain = a.use == Use::plain, b_plain = b.use == Use::plain;
  // c = a b in rows is c^T = b^T a^T in columns: b comes first.
  Product product(compute, kType<Accumulator<T>>);
  product.set(CUBLASLT_MATMUL_DESC_TRANSA, b_plain ? CUBLAS_OP_N : CUBLAS_OP_T);
  product.set(CUBLASLT_MATMUL_DESC_TRANSB, a_plain ? CUBLAS_OP_N : CUBLAS_OP_T);
  if (extras.bias != nullptr) {
    product.set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, extras.bias);
  } else if (extras.row_sums != nullptr) {
    product.set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BGRADB);
    product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, extras.row_sums);
  }
  const Layout first(type, b_plain ? K : N, b_plain ? N : K, b.stride);
  const Layout second(type, a_plain ? M : K, a_plain ? K : M, a.stride);
  const Layout result(type, M, N, c_stride);
  const Key key{M,        N,
                K,        a_plain,
                b_plain,  a.stride,
                b.stride, c_stride,
                compute,  extras.bias != nullptr ? 1 : extras.row_sums != nullptr ? 2 : 0,
                type};
  const Proposal proposal = proposal_for(key, product, first, second, result);
  if (!proposal && extras.row_sums != nullptr) {  // in two steps, then
    column_sums(cuda, K, M, a.data, extras.row_sums);
    return gemm<T>(cuda, M, N, K, a, b, {}, c, c_stride);
  }
  if (!proposal) check(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic");
  const DeviceBuffer<char> workspace(cuda, static_cast<std::int64_t>(proposal->workspaceSize));
  const Accumulator<T> alpha(1), beta(0);
  note_work("gemm");
  DRAPE_CUBLAS(cublasLtMatmul, handle(), product, &alpha, b.data, first, a.data, second, &beta, c,
               result, c, result, &proposal->algo, workspace.data(), proposal->workspaceSize,
               cuda.stream);
}

template void gemm(Cuda, std::int64_t, std::int64_t, std::int64_t, MatrixView<float>,
                   MatrixView<float>, const GemmExtras<float>&, float*, std::int64_t);
template void gemm(Cuda, std::int64_t, std::int64_t, std::int64_t, MatrixView<double>,
                   MatrixView<double>, const GemmExtras<double>&, double*, std::int64_t);
template void gemm(Cuda, std::int64_t, std::int64_t, std::int64_t, MatrixView<BFloat16>,
                   MatrixView<BFloat16>, const GemmExtras<BFloat16>&, BFloat16*, std::int64_t);

}  // namespace drape::kernels
