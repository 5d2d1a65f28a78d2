// Learning rates over a training run: pure functions of the step.
#pragma once

#include <cstdint>

namespace drape {

enum class ScheduleKind { constant, step, cosine, one_cycle, exponential };

/// The learning rate of every optimiser step t = 0 ... T-1, T = epochs * steps_per_epoch:
///   constant   base
///   step       base * factor^floor(epoch / period), where epoch = floor(t / steps_per_epoch)
///   cosine     base / 2 * (1 + cos(pi * t / T)): Loshchilov & Hutter 2017 (arXiv:1608.03983),
///              eq. (5), without restarts, down to 0
///   one_cycle  Smith & Topin 2018 (arXiv:1708.07120), in the form of PyTorch's OneCycleLR: half a
///              cosine from base / start_divisor up to base over the first warm_up * T steps, then
///              half a cosine down to base / start_divisor / end_divisor at the last step
///   exponential  base * (last / base)^(t / (T - 1)): for finding a learning rate
struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double base = 1e-3;
  std::int64_t epochs = 1, steps_per_epoch = 1;
  double last = 0.0;                               // exponential
  double factor = 0.1;                             // step
  std::int64_t period = 10;                        // step, in epochs
  double warm_up = 0.3;                            // one_cycle, in (0, 1)
  double start_divisor = 25.0, end_divisor = 1e4;  // one_cycle

  std::int64_t steps() const { return epochs * steps_per_epoch; }

  /// The learning rate of step t. Error unless 0 <= t < steps().
  double at(std::int64_t t) const;
};

}  // namespace drape
