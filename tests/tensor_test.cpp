// Shapes, tensors, storage and memory.
#include "core/tensor.h"

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <vector>

#include "kernels/memory.h"
#include "layers/relu.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

// Bytes of this process that are in memory now; 0 where the system does not tell.
std::int64_t resident_bytes() {
  std::int64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;  // in pages; see proc(5)
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE("a shape is its extents, and a scalar has one element", "[tensor]") {
  const Shape shape{2, 3, 5};
  CHECK(shape.rank() == 3);
  CHECK(shape.size() == 30);
  CHECK(shape[1] == 3);
  CHECK(shape.to_string() == "[2,3,5]");
  CHECK(Shape().rank() == 0);
  CHECK(Shape().size() == 1);
  CHECK(Shape().to_string() == "[]");
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2} == Shape{2, 1});
  CHECK_THROWS_WITH(shape[3], "shape: expected an axis of [2,3,5], got 3");
  CHECK_THROWS_WITH(shape[-1], "shape: expected an axis of [2,3,5], got -1");
}

TEST_CASE("a shape refuses extents that are negative, too many or too large", "[tensor]") {
  CHECK_THROWS_WITH((Shape{2, -1}), "shape: expected extents >= 0, got [2,-1]");
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1}), Error);
  CHECK_THROWS_AS((Shape{1 << 30, 1 << 30}), Error);
  CHECK_THROWS_AS((Shape{0, 1 << 30, 1 << 30}), Error);
  CHECK_THROWS_AS((Shape{std::int64_t{1} << 62, 4, 1}), Error);
}

TEST_CASE("a tensor is made zero, full or from values", "[tensor]") {
  CHECK(Tensor::zeros({3}).to_vector<float>() == std::vector<float>(3, 0.0f));
  CHECK(Tensor::full({2}, 1.5, DType::f64).to_vector<double>() == std::vector<double>(2, 1.5));
  CHECK(Tensor::full({2}, 255.0, DType::u8).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>(2, 255));
  CHECK(Tensor::full({}, 7.0, DType::u8).item() == 7.0);
  CHECK(Tensor::full({}, -7.0, DType::i32).item() == -7.0);
  CHECK(Tensor::full({}, 0.1, DType::f64).item() == 0.1);
  CHECK_THROWS_WITH(Tensor::full({}, 256.0, DType::u8),
                    "tensor: expected a whole number 0 ... 255, got 256");
  CHECK_THROWS_AS(Tensor::full({}, 0.5, DType::i32), Error);
  const Tensor t = Tensor::from({2, 2}, std::vector<std::int32_t>{1, 2, 3, 4});
  CHECK(t.dtype() == DType::i32);
  CHECK(t.bytes() == 16);
  CHECK(t.to_vector<std::int32_t>() == std::vector<std::int32_t>{1, 2, 3, 4});
  CHECK_THROWS_WITH(Tensor::from({2, 2}, std::vector<float>(3)),
                    "tensor: expected 4 values for shape [2,2], got 3");
}

TEST_CASE("elements are seen as their own type alone", "[tensor]") {
  STATIC_REQUIRE(Element<std::int32_t>);
  STATIC_REQUIRE_FALSE(Element<std::int64_t>);
  STATIC_REQUIRE_FALSE(Element<std::uint32_t>);
  CHECK_THROWS_WITH(Tensor::zeros({2}).data<std::int32_t>(),
                    "tensor: expected elements of type i32, got f32");
}

TEST_CASE("a tensor that was moved from is an empty one", "[tensor]") {
  Tensor from = Tensor::zeros({2, 3}, DType::f64);
  const Tensor to = std::move(from);
  CHECK(to.shape() == Shape{2, 3});
  CHECK(from.empty());  // NOLINT(bugprone-use-after-move)
  CHECK(from.shape() == Shape{0});
  CHECK_THROWS_AS(from.item(), Error);
  Tensor again = to;
  from = std::move(again);
  CHECK(from.data<double>() == to.data<double>());
}

TEST_CASE("copies of a handle share elements, clones do not", "[tensor]") {
  Tensor t = Tensor::zeros({2});
  const Tensor same = t, reshaped = t.reshape({1, 2}), copy = t.clone();
  t.data<float>()[1] = 7.0f;
  CHECK(same.data<float>()[1] == 7.0f);
  CHECK(reshaped.data<float>()[1] == 7.0f);
  CHECK(reshaped.shape() == Shape{1, 2});
  CHECK(copy.data<float>()[1] == 0.0f);
  CHECK_THROWS_WITH(t.reshape({3}), "reshape: expected a shape of 2 elements, got [3]");
}

TEST_CASE("elements are read as what they are", "[tensor]") {
  const Tensor t = Tensor::zeros({2});
  CHECK_THROWS_WITH(t.data<double>(), "tensor: expected elements of type f64, got f32");
  CHECK_THROWS_AS(t.to_vector<std::uint8_t>(), Error);
  CHECK_THROWS_WITH(t.item(), "item: expected a tensor of one element, got shape [2]");
  CHECK(Tensor::full({}, 2.5).item() == 2.5);
  CHECK(Tensor::full({1, 1}, 2.5, DType::f64).item() == 2.5);
}

TEST_CASE("f32, f64 and bf16 convert and others do not", "[tensor]") {
  const Tensor t = Tensor::from({3}, std::vector<double>{0.1, -2.0, 1e300});
  const std::vector<float> rounded = t.to(DType::f32).to_vector<float>();
  CHECK(rounded[0] == 0.1f);
  CHECK(rounded[1] == -2.0f);
  CHECK(std::isinf(rounded[2]));
  CHECK(t.to(DType::f32).to(DType::f64).to_vector<double>()[0] == static_cast<double>(0.1f));
  CHECK(t.to(DType::bf16).to(DType::f64).to_vector<double>()[0] == 0x1.9ap-4);
  CHECK(t.to(DType::bf16).to(DType::f32).to_vector<float>()[1] == -2.0f);
  CHECK(Tensor::full({}, 2.5, DType::bf16).item() == 2.5);
  CHECK_THROWS_WITH(t.to(DType::u8),
                    "to: expected types that convert, f32, f64 or bf16, got f64 to u8");
  CHECK_THROWS_WITH(Tensor::zeros({3}).assign(Tensor::zeros({3}, DType::i32)),
                    "assign: expected types that convert, f32, f64 or bf16, got i32 to f32");
}

TEST_CASE("assign overwrites elements of the same shape", "[tensor]") {
  Tensor t = Tensor::zeros({2});
  const Tensor alias = t;
  t.assign(Tensor::full({2}, 3.0, DType::f64));
  CHECK(alias.to_vector<float>() == std::vector<float>(2, 3.0f));
  CHECK_THROWS_WITH(t.assign(Tensor::zeros({3})),
                    "assign: expected a tensor of shape [2], got [3]");
}

TEST_CASE("an empty tensor has no elements and says so", "[tensor]") {
  const Tensor none;
  CHECK(none.empty());
  CHECK(none.size() == 0);
  CHECK(none.data<float>() == nullptr);
  CHECK_FALSE(none.tracked());
  CHECK_THROWS_WITH(none.device(), "tensor: expected a tensor with elements, got an empty one");
  CHECK_THROWS_AS(Tensor().track(), Error);
  const Tensor zero = Tensor::zeros({0, 3});
  CHECK_FALSE(zero.empty());
  CHECK(zero.to_vector<float>().empty());
}

TEST_CASE("dispatch takes f32 and f64 and names others, and the op", "[tensor]") {
  std::size_t bytes = 0;
  const auto measure = [&]<class T>(auto, T) { bytes = sizeof(T); };
  dispatch(Tensor::zeros({1}), measure);
  CHECK(bytes == 4);
  dispatch(Tensor::zeros({1}, DType::f64), measure);
  CHECK(bytes == 8);
  CHECK_THROWS_WITH(dispatch(Tensor::zeros({1}, DType::u8), measure),
                    "tensor_test: expected elements of type f32 or f64 on cpu, got u8");
  CHECK_THROWS_WITH(dispatch(Tensor(), measure),
                    "tensor_test: expected a tensor with elements, got an empty one");
}

TEST_CASE("the CPU converts bf16 and does not compute in it", "[tensor]") {
  const Tensor t = Tensor::full({2}, 1.5, DType::bf16);
  CHECK(name(t.dtype()) == "bf16");
  CHECK(t.bytes() == 4);
  CHECK_THROWS_WITH(relu(t), "relu: expected elements of type f32 or f64 on cpu, got bf16");
}

TEST_CASE("storages and bytes are given back with the last handle", "[tensor]") {
  const std::int64_t storages = live_storages(), bytes = kernels::memory_use(Cpu{}).bytes;
  {
    const Tensor t = Tensor::zeros({1000});
    // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the copy is what is tested
    const Tensor same = t, view = t.reshape({10, 100});
    CHECK(live_storages() == storages + 1);
    CHECK(kernels::memory_use(Cpu{}).bytes >= bytes + 4000);
    CHECK(kernels::memory_use(Cpu{}).peak_bytes >= kernels::memory_use(Cpu{}).bytes);
  }
  CHECK(live_storages() == storages);
  CHECK(kernels::memory_use(Cpu{}).bytes == bytes);
}

TEST_CASE("a tensor around elements of others tells when it is done with them", "[tensor]") {
  std::vector<float> elements{1.0f, 2.0f};
  int released = 0;
  const std::int64_t bytes = kernels::memory_use(Cpu{}).bytes;
  for (const std::function<void()>& release : {std::function<void()>([&] { ++released; }), {}}) {
    const Tensor t = Tensor::around(elements.data(), {2}, DType::f32, Device::cpu, release);
    CHECK(t.to_vector<float>() == elements);
  }
  CHECK(released == 1);
  CHECK(kernels::memory_use(Cpu{}).bytes == bytes);  // nor are they handed out to the next
}

TEST_CASE("trim gives blocks kept for reuse back to the system", "[tensor]") {
  if (kSanitized || resident_bytes() == 0) return skip("what the system holds cannot be seen");
  constexpr std::int64_t kBytes = 1 << 16, kBlocks = 1024;  // small: free() alone would keep them
  std::vector<Tensor> tensors;
  for (std::int64_t i = 0; i < kBlocks; ++i) tensors.push_back(Tensor::zeros({kBytes}, DType::u8));
  const Tensor last = Tensor::full({1000}, 3.0);
  tensors.clear();
  const std::int64_t before = resident_bytes();
  kernels::trim(Cpu{});
  CHECK(before - resident_bytes() > kBytes * kBlocks * 9 / 10);
  CHECK(last.to_vector<float>() == std::vector<float>(1000, 3.0f));
  CHECK(Tensor::zeros({kBytes}, DType::u8).bytes() == kBytes);
}

TEST_CASE("blocks lie on 64-byte bounds, whatever their size", "[tensor]") {
  for (std::int64_t size = 0; size < 100; ++size) {
    const Tensor t = Tensor::zeros({size}, DType::u8);
    CHECK(reinterpret_cast<std::uintptr_t>(t.data<std::uint8_t>()) % 64 == 0);
  }
}

TEST_CASE("memory that is not there is an Error that says how much", "[tensor]") {
  CHECK_THROWS_WITH(Tensor::uninitialized({(std::int64_t{1} << 48) - 1}, DType::f64),
                    ContainsSubstring("memory: expected 2251799813685"));
  CHECK_THROWS_WITH(Tensor::full({(std::int64_t{1} << 48) - 1}, 1.0, DType::f64),
                    ContainsSubstring("memory: expected 2251799813685"));
}

}  // namespace drape::tests
