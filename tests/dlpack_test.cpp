// DLPack: elements are shared, lifetimes are kept, and what does not fit is refused.
#include "core/dlpack.h"

#include <dlpack/dlpack.h>

#include <cstdint>
#include <vector>

#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/data_helpers.h"

namespace drape::tests {
namespace {

// Another framework's tensor: 2 x 3 floats, counting its deletions.
struct Foreign {
  Foreign() {
    managed.dl_tensor = {elements.data(), {kDLCPU, 0}, 2, {kDLFloat, 32, 1},
                         extents.data(),  nullptr,     0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor* m) { ++static_cast<Foreign*>(m->manager_ctx)->deleted; };
  }

  std::vector<float> elements{1, 2, 3, 4, 5, 6, 7};
  std::vector<std::int64_t> extents{2, 3}, strides{3, 1};
  DLManagedTensor managed{};
  int deleted = 0;
};

}  // namespace

TEST_CASE("a view for others shares the elements and keeps them alive") {
  const std::int64_t before = live_storages();
  Tensor x = Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  DLManagedTensor* view = to_dlpack(x);
  static_cast<float*>(view->dl_tensor.data)[4] = 50.0f;
  CHECK(x.to_vector<float>() == std::vector<float>{1, 2, 3, 4, 50, 6});
  CHECK(view->dl_tensor.ndim == 2);
  CHECK(view->dl_tensor.shape[1] == 3);
  x = Tensor();
  CHECK(static_cast<float*>(view->dl_tensor.data)[5] == 6.0f);
  CHECK(live_storages() == before + 1);
  view->deleter(view);
  CHECK(live_storages() == before);
}

TEST_CASE("a tensor around another framework's elements shares and releases them") {
  Foreign foreign;
  {
    const Tensor x = from_dlpack(&foreign.managed);
    CHECK(x.shape() == Shape{2, 3});
    foreign.elements[2] = 30.0f;
    Tensor y = x;
    y.data<float>()[0] = 10.0f;
    CHECK(x.to_vector<float>() == std::vector<float>{10, 2, 30, 4, 5, 6});
    CHECK(foreign.elements[0] == 10.0f);
    CHECK(foreign.deleted == 0);
  }
  CHECK(foreign.deleted == 1);
}

TEST_CASE("elements of every type go there, named as the protocol says, and back") {
  const std::vector<double> some{1, 2, 3, 250, 5, 6};
  struct Case {
    DType dtype;
    int code, bits;  // of dlpack.h: 0 int, 1 uint, 2 float, 4 bfloat
  };
  for (const auto& [dtype, code, bits] :
       {Case{DType::f32, 2, 32}, Case{DType::f64, 2, 64}, Case{DType::bf16, 4, 16},
        Case{DType::u8, 1, 8}, Case{DType::i32, 0, 32}}) {
    CAPTURE(name(dtype));
    Tensor x = Tensor::from({3, 1, 2}, some);
    if (dtype == DType::u8)
      x = Tensor::from({3, 1, 2}, std::vector<std::uint8_t>(some.begin(), some.end()));
    else if (dtype == DType::i32)
      x = Tensor::from({3, 1, 2}, std::vector<std::int32_t>(some.begin(), some.end()));
    else
      x = x.to(dtype);
    DLManagedTensor* const view = to_dlpack(x);
    CHECK(view->dl_tensor.dtype.code == code);
    CHECK(view->dl_tensor.dtype.bits == bits);
    CHECK(view->dl_tensor.dtype.lanes == 1);
    CHECK(view->dl_tensor.byte_offset == 0);
    CHECK(view->dl_tensor.device.device_type == kDLCPU);
    const Tensor y = from_dlpack(view);
    CHECK(same_bits(x, y));
    CHECK(y.dtype() == dtype);
  }
  CHECK(from_dlpack(to_dlpack(Tensor::full({}, 7.0))).item() == 7.0);
}

TEST_CASE("elements begin where the offset in bytes says") {
  Foreign foreign;  // of seven elements
  foreign.managed.dl_tensor.byte_offset = sizeof(float);
  const Tensor x = from_dlpack(&foreign.managed);
  CHECK(x.to_vector<float>() == std::vector<float>{2, 3, 4, 5, 6, 7});
}

TEST_CASE("strides that say nothing new are taken, others are refused and nothing is released") {
  Foreign foreign;
  foreign.managed.dl_tensor.strides = foreign.strides.data();
  from_dlpack(&foreign.managed);
  CHECK(foreign.deleted == 1);
  foreign.extents[0] = 0;
  CHECK(from_dlpack(&foreign.managed).shape() == Shape{0, 3});
  const auto refusal = [](const auto& change) {
    Foreign other;
    change(other, other.managed.dl_tensor);
    const std::string error = error_of([&] { from_dlpack(&other.managed); });
    CHECK(other.deleted == 0);
    return error;
  };
  CHECK_THAT(refusal([](Foreign& f, DLTensor& t) {
               f.strides = {1, 2};
               t.strides = f.strides.data();
             }),
             ContainsSubstring("contiguous"));
  CHECK_THAT(refusal([](Foreign&, DLTensor& t) { t.dtype.bits = 16; }),
             ContainsSubstring("code 2 of 16 bits"));
  CHECK_THAT(refusal([](Foreign&, DLTensor& t) { t.device.device_type = kDLVulkan; }),
             ContainsSubstring("device type 7"));
  CHECK_THAT(refusal([](Foreign&, DLTensor& t) { t.byte_offset = 2; }),
             ContainsSubstring("bounds of 4 bytes"));
  CHECK_THAT(refusal([](Foreign&, DLTensor& t) { t.data = nullptr; }),
             ContainsSubstring("expected elements, got none"));
  CHECK_THAT(refusal([](Foreign& f, DLTensor& t) {
               f.extents.assign(7, 1);
               t.shape = f.extents.data();
               t.ndim = 7;
             }),
             ContainsSubstring("at most 6"));
  CHECK_THAT(error_of([] { to_dlpack(Tensor()); }), ContainsSubstring("empty"));
}

}  // namespace drape::tests
