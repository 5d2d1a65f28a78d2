// Recorded work: it does later what it would have done, in memory of its own.
#include "kernels/graph.h"

#include "kernels/memory.h"
#include "layers/add.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/relu.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/devices.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

Tensor cuda_full(double value) {
  return Tensor::full({100}, value, DType::f32, Device::cuda);
}

}  // namespace

TEST_CASE("recorded work is done when it is launched, on what memory then holds", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  Tensor x = cuda_full(1.0), y = cuda_full(0.0);
  const auto graph = kernels::record_graph(current_cuda(), [&] { y.assign(add(add(x, x), x)); });
  CHECK(largest(y) == 0.0);
  for (const double value : {1.0, 5.0}) {
    x.assign(cuda_full(value));
    kernels::launch_graph(current_cuda(), *graph);
    CHECK(difference(y, cuda_full(3.0 * value)) == 0.0);
  }
  const kernels::GraphContent& content = kernels::content_of(current_cuda(), *graph);
  CHECK(content.names == std::vector<std::string>{"add", "add", "copy"});
  CHECK(content.kernels == 2);
}

TEST_CASE("work that is recorded before anything else ran finds its counters at zero", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  Tensor w = Tensor::full({8, 8}, 0.5, DType::f32, Device::cuda);
  Tensor b = Tensor::full({8}, 0.0, DType::f32, Device::cuda);
  b.track();
  const Tensor x = Tensor::full({300, 8}, 1.0, DType::f32, Device::cuda);
  const Tensor dy = Tensor::full({300, 8}, 1.0, DType::f32, Device::cuda);
  Tensor db = Tensor::full({8}, 0.0, DType::f32, Device::cuda);
  const auto sum_up = [&] {
    backward(linear(x, w, b), dy);
    db.assign(b.grad());
    b.clear_grad();
  };
  const auto graph = kernels::record_graph(current_cuda(), sum_up);
  sum_up();  // before the first launch
  CHECK(difference(db, Tensor::full({8}, 300.0, DType::f32, Device::cuda)) == 0.0);
  kernels::launch_graph(current_cuda(), *graph);
  CHECK(difference(db, Tensor::full({8}, 300.0, DType::f32, Device::cuda)) == 0.0);
}

TEST_CASE("what the host decides stands still in recorded work, what memory says moves on",
          "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Tensor x = cuda_full(1.0);
  Tensor y = cuda_full(0.0);
  const auto drawn = [&](std::uint64_t id) { return dropout(x, 0.5, {.seed = 1, .id = id}); };
  kernels::Repeated by_host, by_device;
  Tensor taken = Tensor::zeros({8}, DType::u8, Device::cuda);
  for (std::uint8_t i = 0; i < 4; ++i) {
    by_host.run(current_cuda(), [&] { y.assign(drawn(i)); });
    CHECK(same_bits(y, drawn(i)) == (i < 2));
    taken.assign(
        Tensor::from({8}, std::vector<std::uint8_t>{i, 0, 0, 0, 0, 0, 0, 0}).to(Device::cuda));
    const auto* on_device = reinterpret_cast<const std::uint64_t*>(taken.data<std::uint8_t>());
    by_device.run(current_cuda(),
                  [&] { y.assign(dropout(x, 0.5, {.seed = 1, .id = 0}, on_device)); });
    CHECK(same_bits(y, drawn(i)));
  }
  CHECK(by_device.content()->names == std::vector<std::string>{"dropout", "copy"});
}

TEST_CASE("nobody else writes to the memory of recorded work, until it is gone", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const std::int64_t before = kernels::memory_use(current_cuda()).bytes;
  {
    const Tensor x = cuda_full(1.0);
    Tensor y = cuda_full(0.0);
    auto graph = kernels::record_graph(current_cuda(), [&] { y.assign(add(relu(x), relu(x))); });
    std::vector<Tensor> others;
    for (int i = 0; i < 8; ++i) others.push_back(cuda_full(7.0));
    kernels::launch_graph(current_cuda(), *graph);
    for (const Tensor& other : others) CHECK(difference(other, cuda_full(7.0)) == 0.0);
    CHECK(difference(y, cuda_full(2.0)) == 0.0);
    const std::int64_t with_graph = kernels::memory_use(current_cuda()).bytes;
    graph.reset();
    CHECK(kernels::memory_use(current_cuda()).bytes < with_graph);
  }
  CHECK(kernels::memory_use(current_cuda()).bytes == before);
}

TEST_CASE("work that waits for the device, or keeps a block, is not recorded", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Tensor x = cuda_full(-1.0);
  std::vector<Tensor> kept;
  CHECK_THROWS_WITH(kernels::record_graph(current_cuda(), [&] { kept.push_back(relu(x)); }),
                    "graph: expected work that keeps no block of memory, got 1 that it keeps");
  kept.clear();
  Tensor held = relu(x);  // what is given up for what is kept does not make up for it
  CHECK_THROWS_WITH(kernels::record_graph(current_cuda(), [&] { held = relu(x); }),
                    "graph: expected work that keeps no block of memory, got 1 that it keeps");
  Tensor y = cuda_full(7.0);
  const auto graph = kernels::record_graph(current_cuda(), [&] {
    held = Tensor();
    y.assign(relu(x));
  });
  kernels::launch_graph(current_cuda(), *graph);
  CHECK(largest(y) == 0.0);
  std::vector<float> seen;
  kernels::Repeated repeated;
  for (int i = 0; i < 4; ++i) repeated.run(current_cuda(), [&] { seen = x.to_vector<float>(); });
  CHECK(seen == std::vector<float>(100, -1.0f));
  CHECK_FALSE(repeated.content());
  CHECK_THAT(repeated.problem(), ContainsSubstring("cudaStreamSynchronize"));
  CHECK_THROWS_WITH(repeated.run(current_cuda(), [] { throw Error("disk full"); }), "disk full");
}

}  // namespace drape::tests
