// Where a training run stands, in the memory of the device that trains: what changes from step to
// step lies here, so that every step is the same sequence of kernels.
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace drape::kernels {

struct Progress {
  // Of the epoch so far; the loss adds to it.
  double loss_sum = 0.0;  // over images
  std::int64_t images = 0, correct = 0;

  // The first step whose loss was not finite, counted from 1; 0: none. From there on nothing is
  // added up and no weight moves.
  std::int64_t failed_step = 0;
  double failed_loss = 0.0;

  // The optimiser, a step's last kernel, moves these on.
  std::int64_t step = 0;      // of the epoch, counted from 0
  std::uint64_t streams = 0;  // of random numbers that earlier steps took

  /// Takes in a batch's mean loss and its right predictions.
  DRAPE_HOST_DEVICE void add(double loss, std::int64_t rows, std::int64_t right) {
    if (failed_step > 0) return;
    if (loss - loss != 0.0) {  // not finite
      failed_step = step + 1;
      failed_loss = loss;
      return;
    }
    loss_sum += loss * static_cast<double>(rows);
    images += rows;
    correct += right;
  }
};

/// One step of an optimiser: at a learning rate or, in a run, at that of the run's step, which is
/// then moved on.
struct OptimizerStep {
  double rate = 0.0;              // where there is no run
  Progress* progress = nullptr;   // of the run
  const double* rates = nullptr;  // of the epoch's steps
  std::uint64_t streams = 0;      // of random numbers that every step takes

  // To be called where the run's progress is.
  DRAPE_HOST_DEVICE bool stopped() const {
    return progress != nullptr && progress->failed_step > 0;
  }
  DRAPE_HOST_DEVICE double rate_of(std::int64_t step) const {
    return progress == nullptr ? rate : rates[step];
  }
  DRAPE_HOST_DEVICE void advance() const {
    if (progress == nullptr) return;
    ++progress->step;
    progress->streams += streams;
  }
};

/// On the CPU: calls update(tensor, learning rate) for all tensors unless the run has failed, and
/// moves it on.
template <class Tensors, class Update>
void take_step(const Tensors& tensors, const OptimizerStep& step, Update&& update) {
  const double rate = step.rate_of(step.progress == nullptr ? 0 : step.progress->step);
  if (!step.stopped()) {
    for (const auto& tensor : tensors) update(tensor, rate);
  }
  step.advance();
}

}  // namespace drape::kernels
