// The steps of a training run: what the device is asked for between two looks at it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/placed.h"
#include "data/batches.h"
#include "kernels/graph.h"
#include "optim/metrics.h"
#include "optim/observers.h"
#include "optim/optimizer.h"
#include "optim/trainer_options.h"
#include "optim/weight_average.h"

namespace drape {

/// Gathers a batch, adds up its gradients, shortens them, moves the weights and their average; on
/// CUDA recorded once and repeated. What changes from step to step lies in the memory of the
/// device.
class TrainingSteps {
 public:
  /// The observer is told of what is recorded, or why it is not.
  TrainingSteps(Module& model, const Examples& training, const TrainerOptions& options,
                Observer& observer);

  /// Steps of an epoch.
  std::int64_t count() const { return rates_.size(); }

  /// Before an epoch: its batches, what was drawn for them, and the learning rate of each step.
  void plan(const Batches& batches, const EpochDraws& draws, const std::vector<double>& rates);

  /// Asks for step i of the epoch, and does not wait.
  void take(std::int64_t i);

  /// How far the device has come, which has to be waited for.
  kernels::Progress progress() const { return progress_.read(); }
  void go_on_from(const kernels::Progress& progress) { progress_.write(progress); }

  /// The images of batch i, as the network sees them.
  Tensor images(std::int64_t i) const { return batches_->gather(i, dtype_).x; }

  Optimizer& optimizer() { return *optimizer_; }
  /// Null if there is none.
  WeightAverage* average() { return average_ ? &*average_ : nullptr; }
  Loss loss() const { return loss_; }
  Device device() const { return rates_.device(); }
  DType dtype() const { return dtype_; }

 private:
  // Asks for the kernels of a step, one by one.
  void launch(std::int64_t i);
  // Calls body for every piece of a batch of so many rows.
  template <class Body>
  void each_piece(std::int64_t rows, Body&& body) const;
  // Adds the gradients of a piece of batch i.
  void add_gradients(std::int64_t i, Rows piece, Generator& random);

  Module& model_;
  const Examples& training_;
  const TrainerOptions& options_;
  Observer& observer_;
  const Loss loss_;
  const DType dtype_;
  const std::unique_ptr<Optimizer> optimizer_;
  std::optional<WeightAverage> average_;
  Placed<kernels::Progress> progress_;
  std::optional<BatchPlan> batches_;
  Tensor rates_;  // f64, of the epoch's steps
  // dL/d(mean loss of a piece): rows of the piece over rows of the batch.
  std::map<std::pair<std::int64_t, std::int64_t>, Tensor> shares_;
  kernels::Repeated step_, last_step_;  // the last batch may be smaller
  bool warned_ = false;
};

}  // namespace drape
