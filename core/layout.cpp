#include "core/layout.h"

#include <vector>

namespace drape {
namespace {

// y[i, c, r] = x[i, r, c] for `rows` matrices of `rest` x `channels`.
template <class T>
void transpose(const T* x, std::int64_t rows, std::int64_t rest, std::int64_t channels, T* y) {
  for (std::int64_t i = 0; i < rows; ++i, x += rest * channels, y += rest * channels) {
    for (std::int64_t r = 0; r < rest; ++r) {
      for (std::int64_t c = 0; c < channels; ++c) y[c * rest + r] = x[r * channels + c];
    }
  }
}

Tensor transposed(const Tensor& given, const Shape& shape, std::int64_t rest,
                  std::int64_t channels) {
  const Tensor x = given.to(Device::cpu);
  Tensor y = Tensor::like(x, shape);
  dispatch(x, [&]<class T>(auto, T) {
    transpose(x.data<T>(), x.shape()[0], rest, channels, y.data<T>());
  });
  return y;
}

std::vector<std::int64_t> extents_of(const Tensor& x) {
  DRAPE_CHECK(x.shape().rank() >= 3, "layout: expected at least three axes, got {}",
              x.shape().to_string());
  return {x.shape().extents().begin(), x.shape().extents().end()};
}

void check_flattened(const Tensor& w, std::int64_t channels) {
  DRAPE_CHECK(w.shape().rank() == 2 && channels > 0 && w.shape()[1] % channels == 0,
              "layout: expected weights [K,{}*n], got {}", channels, w.shape().to_string());
}

}  // namespace

Tensor channels_first(const Tensor& x) {
  std::vector<std::int64_t> extents = extents_of(x);
  const std::int64_t channels = extents.back();
  extents.pop_back();
  std::int64_t rest = 1;
  for (std::size_t i = 1; i < extents.size(); ++i) rest *= extents[i];
  extents.insert(extents.begin() + 1, channels);
  return transposed(x, Shape(extents), rest, channels);
}

Tensor channels_last(const Tensor& x) {
  std::vector<std::int64_t> extents = extents_of(x);
  const std::int64_t channels = extents[1];
  extents.erase(extents.begin() + 1);
  std::int64_t rest = 1;
  for (std::size_t i = 1; i < extents.size(); ++i) rest *= extents[i];
  extents.push_back(channels);
  return transposed(x, Shape(extents), channels, rest);
}

Tensor flattened_channels_first(const Tensor& w, std::int64_t channels) {
  check_flattened(w, channels);
  return channels_first(w.reshape({w.shape()[0], w.shape()[1] / channels, channels}))
      .reshape(w.shape());
}

Tensor flattened_channels_last(const Tensor& w, std::int64_t channels) {
  check_flattened(w, channels);
  return channels_last(w.reshape({w.shape()[0], channels, w.shape()[1] / channels}))
      .reshape(w.shape());
}

}  // namespace drape
