// What a training run is told.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/augmentation.h"
#include "optim/checkpoints.h"
#include "optim/early_stopping.h"
#include "optim/schedule.h"

namespace drape {

enum class OptimizerKind { adam, adamw, sgd };

/// Enumerators as command lines and files spell them.
std::string_view name(OptimizerKind optimizer);
std::string_view name(ScheduleKind schedule);
std::string_view name(Monitor monitor);

/// recorded: a step is captured as a CUDA graph once and replayed; each: every kernel is launched
/// by itself.
enum class Launching { recorded, each };

struct TrainerOptions {
  int epochs = 30;  // at most
  std::int64_t batch = 64;
  OptimizerKind optimizer = OptimizerKind::adam;
  double learning_rate = 1e-3;  // the schedule's base
  ScheduleKind schedule = ScheduleKind::constant;
  double last_learning_rate = 0.0;  // exponential
  double weight_decay = 0.0;
  double momentum = 0.9;     // sgd
  double mixup_alpha = 0.0;  // 0: off, the loss is softmax cross-entropy; else binary cross-entropy
  double label_smoothing = 0.0;        // in training; kernels/gather_batch.h has the formula
  AugmentationOptions augmentation{};  // of training images, before they are mixed
  double clip_norm = 0.0;              // gradients are shortened to it; 0: they are not
  double average_decay = 0.0;  // of the weights' moving average, which is judged; 0: none is kept
  /// A batch is worked off in so many pieces whose gradients add up, which takes less memory;
  /// batch-norm sees a piece alone.
  int pieces = 1;
  EarlyStoppingOptions early_stopping{};
  std::uint64_t seed = 0;  // of shuffling, augmentation, dropout and MixUp
  /// CUDA: seconds between looks at how far the device has come, which the observer is told of; on
  /// the CPU it is told of every step.
  double look_every = 0.1;
  Launching launching = Launching::recorded;
  CheckpointOptions checkpoints{};
};

/// Error: options that make no sense by themselves.
void validate(const TrainerOptions& options);

/// The options that decide a run's bits, as text by their names on the command line.
RunIdentity identity_of(const TrainerOptions& options);

}  // namespace drape
