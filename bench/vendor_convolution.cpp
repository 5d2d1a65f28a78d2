#include "bench/vendor_convolution.h"

#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <unordered_map>

#include "core/stopwatch.h"

namespace drape::bench {
namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

// Seconds of the fastest run.
double fastest(const dnnl::primitive& primitive, const Arguments& arguments, dnnl::stream& stream) {
  constexpr int kRuns = 15;
  double best = 1e30;
  for (int run = 0; run < kRuns; ++run) {
    const Stopwatch watch;
    primitive.execute(stream, arguments);
    stream.wait();
    best = std::min(best, watch.seconds());
  }
  return best;
}

memory filled(const memory::desc& desc, const dnnl::engine& engine) {
  memory m(desc, engine);
  auto* values = static_cast<float*>(m.get_data_handle());
  for (std::size_t i = 0; i < desc.get_size() / sizeof(float); ++i) {
    values[i] = static_cast<float>(i * 2654435761u % 1000) * 1e-3f - 0.5f;
  }
  return m;
}

// The descriptors of a convolution in the API of oneDNN 2 and of oneDNN 3.
struct Problem {
  explicit Problem(const Conv2dGeometry& g)
      : x({g.N, g.C, g.H, g.W}, memory::data_type::f32, memory::format_tag::any),
        w({g.K, g.C, g.R, g.S}, memory::data_type::f32, memory::format_tag::any),
        y({g.N, g.K, g.P, g.Q}, memory::data_type::f32, memory::format_tag::any),
        stride{g.stride.y, g.stride.x},
        dilation{g.dilation.y - 1, g.dilation.x - 1},
        padding{g.padding.y, g.padding.x} {}

  static constexpr auto kDirect = dnnl::algorithm::convolution_direct;

#if DNNL_VERSION_MAJOR >= 3
  dnnl::convolution_forward::primitive_desc forward(const dnnl::engine& engine) const {
    return {engine, dnnl::prop_kind::forward_training, kDirect, x, w, y, stride, dilation, padding,
            padding};
  }
  dnnl::convolution_backward_data::primitive_desc backward_data(const dnnl::engine& engine) const {
    return {engine, kDirect, x, w, y, stride, dilation, padding, padding, forward(engine)};
  }
  dnnl::convolution_backward_weights::primitive_desc backward_weights(
      const dnnl::engine& engine) const {
    return {engine, kDirect, x, w, y, stride, dilation, padding, padding, forward(engine)};
  }
#else
  dnnl::convolution_forward::primitive_desc forward(const dnnl::engine& engine) const {
    return {
        {dnnl::prop_kind::forward_training, kDirect, x, w, y, stride, dilation, padding, padding},
        engine};
  }
  dnnl::convolution_backward_data::primitive_desc backward_data(const dnnl::engine& engine) const {
    return {{kDirect, x, w, y, stride, dilation, padding, padding}, engine, forward(engine)};
  }
  dnnl::convolution_backward_weights::primitive_desc backward_weights(
      const dnnl::engine& engine) const {
    return {{kDirect, x, w, y, stride, dilation, padding, padding}, engine, forward(engine)};
  }
#endif

  memory::desc x, w, y;
  memory::dims stride, dilation, padding;
};

}  // namespace

VendorSeconds time_vendor_convolution(const Conv2dGeometry& geometry, int threads) {
  omp_set_num_threads(threads);
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const Problem problem(geometry);
  const auto forward = problem.forward(engine);
  const auto data = problem.backward_data(engine);
  const auto weights = problem.backward_weights(engine);
  return {fastest(dnnl::convolution_forward(forward),
                  {{DNNL_ARG_SRC, filled(forward.src_desc(), engine)},
                   {DNNL_ARG_WEIGHTS, filled(forward.weights_desc(), engine)},
                   {DNNL_ARG_DST, filled(forward.dst_desc(), engine)}},
                  stream),
          fastest(dnnl::convolution_backward_data(data),
                  {{DNNL_ARG_DIFF_DST, filled(data.diff_dst_desc(), engine)},
                   {DNNL_ARG_WEIGHTS, filled(data.weights_desc(), engine)},
                   {DNNL_ARG_DIFF_SRC, filled(data.diff_src_desc(), engine)}},
                  stream),
          fastest(dnnl::convolution_backward_weights(weights),
                  {{DNNL_ARG_SRC, filled(weights.src_desc(), engine)},
                   {DNNL_ARG_DIFF_DST, filled(weights.diff_dst_desc(), engine)},
                   {DNNL_ARG_DIFF_WEIGHTS, filled(weights.diff_weights_desc(), engine)}},
                  stream)};
}

}  // namespace drape::bench
