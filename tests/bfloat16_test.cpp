// bfloat16 and the conversions to and from it.
#include "kernels/bfloat16.h"

#include <cmath>
#include <limits>

#include "layers/batch_norm.h"
#include "layers/cast.h"
#include "tests/catch.h"
#include "tests/compare.h"

namespace drape::tests {
namespace {

BFloat16 from_bits(std::uint16_t bits) {
  BFloat16 value;
  value.bits = bits;
  return value;
}

}  // namespace

TEST_CASE("every bf16 is the same after a way through float", "[bfloat16]") {
  std::int64_t others = 0;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const float value = from_bits(static_cast<std::uint16_t>(bits));
    const BFloat16 back(value);
    others += std::isnan(value) ? !std::isnan(static_cast<float>(back)) : back.bits != bits;
  }
  CHECK(others == 0);
}

TEST_CASE("a bf16 has the range of float and 8 significant bits", "[bfloat16]") {
  CHECK(BFloat16().bits == 0);
  CHECK(BFloat16(1.0f).bits == 0x3f80);
  CHECK(BFloat16(-2.0f).bits == 0xc000);
  CHECK(from_bits(0x4049) == 3.140625f);
  CHECK(from_bits(0x0001) == 0x1p-133f);
  CHECK(from_bits(0x7f7f) == 0x1.fep127f);
}

TEST_CASE("rounding to bf16 goes to the nearest, from the middle to the even one", "[bfloat16]") {
  CHECK(BFloat16(0x1.01p0f) == 1.0f);
  CHECK(BFloat16(0x1.010002p0f) == 0x1.02p0f);
  CHECK(BFloat16(0x1.03p0f) == 0x1.04p0f);
  CHECK(BFloat16(0x1.02fffep0f) == 0x1.02p0f);
  CHECK(BFloat16(-0x1.03p0f) == -0x1.04p0f);
  CHECK(BFloat16(0x1.ffp0f) == 2.0f);
  CHECK(BFloat16(0x1p-134f) == 0.0f);
  CHECK(BFloat16(0x1.8p-133f) == 0x1p-132f);
}

TEST_CASE("what bf16 cannot hold becomes infinite, and NaN stays NaN", "[bfloat16]") {
  CHECK(BFloat16(kInfinity) == kInfinity);
  CHECK(BFloat16(-kInfinity) == -kInfinity);
  CHECK(BFloat16(std::numeric_limits<float>::max()) == kInfinity);
  CHECK(BFloat16(-0x1.ffp127f) == -kInfinity);
  CHECK(BFloat16(0x1.fefffep127f) == 0x1.fep127f);
  for (const std::uint32_t nan : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffffffffu}) {
    CHECK(std::isnan(static_cast<float>(BFloat16(std::bit_cast<float>(nan)))));
  }
}

TEST_CASE("the gradient of a cast comes back in the type of its input", "[bfloat16]") {
  for (const DType from : {DType::f32, DType::f64, DType::bf16}) {
    for (const DType to : {DType::f32, DType::f64, DType::bf16}) {
      CAPTURE(name(from), name(to));
      Tensor x = Tensor::from({3}, std::vector<float>{1.0f, -2.5f, 0.1f}).to(from);
      x.track();
      const Tensor y = cast(x, to);
      CHECK(y.dtype() == to);
      CHECK(same_bits(y.detach(), x.detach().to(to)));
      const Tensor dy = Tensor::from({3}, std::vector<float>{0.3f, 4.0f, -1.0f}).to(to);
      backward(y, dy);
      CHECK(same_bits(x.grad(), dy.to(from)));
    }
  }
}

TEST_CASE("nothing but bf16 is widened", "[bfloat16]") {
  const auto scalar = [](DType dtype) { return Tensor::full({}, 1.0, dtype); };
  CHECK(widened(scalar(DType::bf16)).dtype() == DType::f32);
  CHECK(widened(scalar(DType::f32)).dtype() == DType::f32);
  CHECK(widened(scalar(DType::f64)).dtype() == DType::f64);
  CHECK(widened(Tensor()).empty());
  const Tensor channel = Tensor::full({1}, 1.0), x = Tensor::zeros({2, 1}, DType::f64);
  CHECK_THROWS_WITH(batch_norm(x, {channel, channel, channel, channel}, Mode::eval),
                    "batch_norm: expected all tensors in f64 on cpu, got one in f32 on cpu");
}

}  // namespace drape::tests
