// A training run in TensorBoard.
#pragma once

#include "optim/event_log.h"
#include "optim/metrics.h"
#include "optim/observers.h"

namespace drape {

/// Writes after every epoch: losses, accuracies and the learning rate; the distribution of every
/// parameter and, over a few images, of every deformable convolution's offsets. At the beginning it
/// writes some of these images.
class EventObserver : public Observer {
 public:
  /// The model and the examples outlive it. Error: what EventLog says.
  EventObserver(const std::filesystem::path& folder, Sequential& model, const Examples& examples);

  void on_epoch_end(const History& history, Standing standing) override;

 private:
  void write_offsets(std::int64_t epoch);

  EventLog log_;
  Sequential& model_;
  Tensor images_;  // [N,H,W,C], as the model takes them
};

}  // namespace drape
