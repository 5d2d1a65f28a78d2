#include "bench/measure.h"

#include <algorithm>
#include <cmath>

#include "core/tensor.h"
#include "kernels/memory.h"

namespace drape::bench {
namespace {

constexpr int kCallsInARow = 20;  // on a device

double seconds_called(Work& work, Device device) {
  const int calls = device == Device::cpu ? 1 : kCallsInARow;
  work.ready(calls);
  const double seconds = seconds_of(device, [&] {
    for (int i = 0; i < calls; ++i) work.call(i);
  });
  return seconds / calls;
}

enum class Cache { warm, cold };

// Times calls by the device's clock, as seen from the host: a few fills of a large block, one after
// the other, keep the device busy until the host has asked for all calls; what the fills alone take
// is taken off. Cold, a fill stands before each call and leaves nothing but itself in L2.
class DeviceTimer {
 public:
  // seconds_a_call: what the host needs, at most, to ask for one.
  DeviceTimer(Device device, double seconds_a_call)
      : device_(device), block_(Tensor::zeros({kBytes}, DType::u8, device)) {
    const double fill = std::ranges::min(samples(0.0, [&] { return seconds_of_fills(16); })) / 16;
    head_start_ = 2 + static_cast<int>(std::ceil(2.0 * kCallsInARow * seconds_a_call / fill));
  }

  double seconds(Work& work, Cache cache) {
    const int fills = head_start_ + (cache == Cache::cold ? kCallsInARow : 0);
    work.ready(kCallsInARow);
    const double all = seconds_of(device_, [&] {
      for (int i = 0; i < head_start_; ++i) fill();
      for (int i = 0; i < kCallsInARow; ++i) {
        if (cache == Cache::cold) fill();
        work.call(i);
      }
    });
    return (all - seconds_of_fills(fills)) / kCallsInARow;
  }

 private:
  static constexpr std::int64_t kBytes = 256 << 20;  // several times any L2

  void fill() {
    on(device_, [&](auto tag) {
      kernels::fill_zero(tag, block_.data<std::uint8_t>(), static_cast<std::size_t>(kBytes));
    });
  }

  double seconds_of_fills(int count) {
    return seconds_of(device_, [&] {
      for (int i = 0; i < count; ++i) fill();
    });
  }

  Device device_;
  Tensor block_;
  int head_start_ = 0;
};

}  // namespace

RowTimings time_work(Work& work, Device device, double budget) {
  seconds_called(work, device);  // to warm up
  RowTimings timings;
  timings.called = timing_of(samples(budget, [&] { return seconds_called(work, device); }));
  if (device == Device::cpu) return timings;
  DeviceTimer timer(device, timings.called.seconds);
  const auto time = [&](Cache cache) {
    return timing_of(samples(budget, [&] { return timer.seconds(work, cache); }));
  };
  timings.warm = time(Cache::warm);
  timings.cold = time(Cache::cold);
  return timings;
}

[[gnu::noinline]] void call_counted(Work& work) {
  work.call(0);
}

}  // namespace drape::bench
