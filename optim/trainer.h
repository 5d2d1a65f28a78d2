// The training loop: the only one.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "optim/early_stopping.h"
#include "optim/history.h"
#include "optim/metrics.h"
#include "optim/observers.h"
#include "optim/schedule.h"

namespace drape {

enum class OptimizerKind { adam, adamw, sgd };

/// How CUDA is asked for the kernels of a step: recorded, for all at once, or for each by itself.
enum class Launching { recorded, each };

struct TrainerOptions {
  int epochs = 30;  // at most
  std::int64_t batch = 64;
  OptimizerKind optimizer = OptimizerKind::adam;
  double learning_rate = 1e-3;  // the schedule's base
  ScheduleKind schedule = ScheduleKind::constant;
  double weight_decay = 0.0;
  double momentum = 0.9;     // sgd
  double mixup_alpha = 0.0;  // 0: off, the loss is softmax cross-entropy; else binary cross-entropy
  EarlyStoppingOptions early_stopping{};
  std::uint64_t seed = 0;  // of shuffling, dropout and MixUp
  /// CUDA: seconds between looks at how far the device has come, which the observer is told of; on
  /// the CPU it is told of every step.
  double look_every = 0.1;
  Launching launching = Launching::recorded;
};

/// Why a run ended. diverged: a loss was not finite.
enum class StopReason { max_epochs, early_stopping, interrupted, diverged };
std::string_view name(StopReason reason);

struct TrainResult {
  StopReason stop_reason = StopReason::max_epochs;
  History history;                 // of the epochs that were finished
  int best_epoch = 0;              // whose weights the model has; 0: those it came with
  std::string divergence;          // one line: the loss, the epoch, the step; empty unless diverged
  double seconds = 0.0;            // wall time of everything
  double images_per_second = 0.0;  // of the training steps
};

/// Trains the model, which is initialised and on the examples' device, on `training`, and evaluates
/// it on `validation` after every epoch. On every way out, by return or by exception, the model has
/// the weights of the best epoch by options.early_stopping.monitor; one in bf16 is converted to
/// f32, in which they were kept. `interrupted` is read before every step; when it is true the run
/// ends there. The same options, examples, and weights give the same bits for any number of
/// threads. Error: options that make no sense, or no examples.
TrainResult train(Module& model, const Examples& training, const Examples& validation,
                  const TrainerOptions& options, Observer& observer,
                  const std::atomic<bool>& interrupted);

}  // namespace drape
