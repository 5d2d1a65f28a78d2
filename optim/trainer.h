// The training loop: the only one.
#pragma once

#include <atomic>
#include <string>

#include "optim/history.h"
#include "optim/metrics.h"
#include "optim/observers.h"
#include "optim/trainer_options.h"

namespace drape {

struct TrainResult {
  StopReason stop_reason = StopReason::max_epochs;
  History history;                 // of the epochs that were finished
  int best_epoch = 0;              // whose weights the model has; 0: those it came with
  std::string divergence;          // one line: the loss, the epoch, the step; empty unless diverged
  bool resumable = false;          // a state was written to go on from
  double seconds = 0.0;            // wall time of everything
  double images_per_second = 0.0;  // of the training steps
};

/// Trains the model, which is initialised and on the examples' device, on `training`, and evaluates
/// it on `validation` after every epoch. On every way out, by return or by exception, the model has
/// the weights of the best epoch by options.early_stopping.monitor; one in bf16 is converted to
/// f32, in which they were kept. `interrupted` is read before every step; when it is true the run
/// ends there. The same options, examples, and weights give the same bits for any number of
/// threads, also where a run goes on from a state that options.checkpoints found. A state is
/// written whenever one is due, and at the end unless the run diverged. Error: options that make no
/// sense, no examples, or a state that does not fit.
TrainResult train(Module& model, const Examples& training, const Examples& validation,
                  const TrainerOptions& options, Observer& observer,
                  const std::atomic<bool>& interrupted);

}  // namespace drape
