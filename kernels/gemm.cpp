#include "kernels/gemm.h"

#include <dnnl.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <string>

#include "kernels/error.h"

namespace drape::kernels {
namespace {

// As long as it lives, OpenMP has one thread for this one: oneDNN would start a team of its own
// under each of ours. What the caller's own OpenMP loops have is put back.
class OneThread {
 public:
  OneThread() { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int before_ = omp_get_max_threads();
};

// All signals but those that an instruction itself raises.
sigset_t from_outside() {
  sigset_t all;
  sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) sigdelset(&all, own);
  return all;
}

// As long as it lives, no signal interrupts this thread. oneDNN's kernels keep an address of the
// heap in the stack pointer, where a handler would write its frame
// (github.com/uxlfoundation/oneDNN/issues/4845; mended in 2026).
class SignalsWait {
 public:
  SignalsWait() {
    static const sigset_t waiting = from_outside();
    pthread_sigmask(SIG_BLOCK, &waiting, &before_);
  }
  ~SignalsWait() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_;
};

char letter(Use use) {
  return use == Use::plain ? 'N' : 'T';
}

}  // namespace

template <>
void gemm(std::int64_t M, std::int64_t N, std::int64_t K, MatrixView<float> a, MatrixView<float> b,
          Output output, float* c, std::int64_t c_stride) {
  const float beta = output == Output::add ? 1.0f : 0.0f;
  const OneThread one_thread;
  const SignalsWait signals_wait;
  const dnnl_status_t status = dnnl_sgemm(letter(a.use), letter(b.use), M, N, K, 1.0f, a.data,
                                          a.stride, b.data, b.stride, beta, c, c_stride);
  if (status != dnnl_success) {
    throw Error("gemm: expected oneDNN's dnnl_sgemm to succeed, got status " +
                std::to_string(status));
  }
}

template <>
void gemm(std::int64_t M, std::int64_t N, std::int64_t K, MatrixView<double> a,
          MatrixView<double> b, Output output, double* c, std::int64_t c_stride) {
  const auto at = [](const MatrixView<double>& m, std::int64_t row, std::int64_t column) {
    return m.use == Use::plain ? m.data[row * m.stride + column] : m.data[column * m.stride + row];
  };
  for (std::int64_t m = 0; m < M; ++m) {
    double* row = c + m * c_stride;
    if (output == Output::replace) std::fill(row, row + N, 0.0);
    for (std::int64_t k = 0; k < K; ++k) {
      const double factor = at(a, m, k);
      for (std::int64_t n = 0; n < N; ++n) row[n] += factor * at(b, k, n);
    }
  }
}

}  // namespace drape::kernels
