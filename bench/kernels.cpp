// Speed of every op of the tests' op table that has a real size, f32, forward and backward, with
// Google Benchmark:
//   bench_kernels [--device=cuda] [--benchmark_filter=^deform_conv2d/backward]
//   [--benchmark_format=json]
// GFLOP/s count multiplications and additions (backward: twice forward's); GB/s count every input,
// output and gradient once: what must move at least.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string_view>

#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "tests/op_table.h"

namespace {

using namespace drape;
using namespace drape::tests;

Device device = Device::cpu;

// Calls in a row that one measurement takes in: a device is waited for once in so many.
int calls_in_a_row() {
  return device == Device::cpu ? 1 : 20;
}

std::vector<Tensor> draw_real(const Op& op, const RealSize& size) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < size.shapes.size(); ++i) {
    inputs.push_back(
        draw(size.shapes[i], op.inputs[i].values, {.seed = 1, .id = i}, DType::f32).to(device));
  }
  return inputs;
}

// Seconds a call of body takes.
template <class Body>
double time_calls(Body&& body) {
  const auto wait = [] { on(device, [](auto tag) { kernels::synchronize(tag); }); };
  wait();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls_in_a_row(); ++i) body(i);
  wait();
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  return spent.count() / calls_in_a_row();
}

void count(benchmark::State& state, double flop, double bytes) {
  using benchmark::Counter;
  const auto per_second = Counter::kIsIterationInvariantRate;
  state.counters["GFLOP/s"] = Counter(flop * 1e-9, per_second);
  state.counters["GB/s"] = Counter(bytes * 1e-9, per_second);
}

double bytes_of(const std::vector<Tensor>& inputs, const Tensor& y) {
  auto bytes = static_cast<double>(y.bytes());
  for (const Tensor& input : inputs) bytes += static_cast<double>(input.bytes());
  return bytes;
}

void time_forward(benchmark::State& state, const Op& op, const RealSize& size) {
  const std::vector<Tensor> inputs = draw_real(op, size);
  Tensor y;
  for (auto _ : state) {
    state.SetIterationTime(time_calls([&](int) { y = op.function(inputs); }));
  }
  count(state, size.flop, bytes_of(inputs, y));
}

void time_backward(benchmark::State& state, const Op& op, const RealSize& size) {
  std::vector<Tensor> inputs = draw_real(op, size);
  double bytes = 0.0;
  for (Tensor& input : inputs) input.track();
  for (auto _ : state) {
    std::vector<Tensor> ys;
    for (int i = 0; i < calls_in_a_row(); ++i) ys.push_back(op.function(inputs));
    const Tensor dy = noise(ys[0].shape(), {.seed = 2, .id = 0}, ys[0].dtype()).to(device);
    state.SetIterationTime(time_calls([&](int i) {
      backward(ys[static_cast<std::size_t>(i)], dy);
      for (Tensor& input : inputs) input.clear_grad();
    }));
    bytes = 2.0 * bytes_of(inputs, ys[0]);
  }
  count(state, 2.0 * size.flop, bytes);
}

int run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--device=cuda") {
    device = Device::cuda;
    std::rotate(argv + 1, argv + 2, argv + argc);
    --argc;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("threads", std::to_string(kernels::thread_count()));
  for (const Op& op : op_table()) {
    for (const RealSize& size : op.real_sizes) {
      const auto time = [&](const char* direction, auto* run) {
        return benchmark::RegisterBenchmark(
                   (op.name + "/" + direction + "/" + size.label).c_str(),
                   [&op, &size, run](benchmark::State& state) { run(state, op, size); })
            ->Unit(benchmark::kMicrosecond)
            ->MeasureProcessCPUTime();
      };
      time("forward", time_forward)->UseManualTime();
      time("backward", time_backward)->UseManualTime();
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_kernels: %s\n", error.what());
    return 1;
  }
}
