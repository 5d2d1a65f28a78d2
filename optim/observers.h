// Who watches a training run, and what they are told.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "kernels/graph.h"
#include "optim/history.h"

namespace drape {

/// The most that a run will do.
struct TrainingPlan {
  int epochs = 0;
  std::int64_t images_per_epoch = 0;
};

/// An epoch so far.
struct EpochProgress {
  int epoch = 0;            // counted from 1
  std::int64_t images = 0;  // trained with in this epoch
  double loss = 0.0;        // mean over them
  double accuracy = 0.0;
  double seconds = 0.0;  // since the epoch began
};

/// Is the newest epoch the best so far?
enum class Standing { best, not_best };

/// Where a run goes on that was begun before.
struct Resumption {
  const History& history;  // of the epochs that are finished
  int best_epoch = 0;      // of these; 0: none
  int epoch = 1;           // under way; of a run that is over, its last
  std::int64_t steps = 0;  // of it that are done
};

/// Told what happens during training, in order. An exception ends the training.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_begin(const TrainingPlan& /*plan*/) {}
  virtual void on_resume(const Resumption& /*from*/) {}
  /// After every step on the CPU, after some on CUDA, and after an epoch's last.
  virtual void on_step(const EpochProgress& /*progress*/) {}
  /// CUDA: what every step does from here on, but an epoch's last.
  virtual void on_recorded(const kernels::GraphContent& /*step*/) {}
  /// Something that goes on and is not as it should be, in one line.
  virtual void on_warning(const std::string& /*line*/) {}
  /// `history` ends with the epoch; while it is the best one, its weights are in the model.
  virtual void on_epoch_end(const History& /*history*/, Standing /*standing*/) {}
};

/// Passes on what it is told, in order.
class Observers : public Observer {
 public:
  explicit Observers(std::vector<Observer*> all) : all_(std::move(all)) {}

  void on_begin(const TrainingPlan& plan) override {
    for (Observer* one : all_) one->on_begin(plan);
  }
  void on_resume(const Resumption& from) override {
    for (Observer* one : all_) one->on_resume(from);
  }
  void on_step(const EpochProgress& progress) override {
    for (Observer* one : all_) one->on_step(progress);
  }
  void on_recorded(const kernels::GraphContent& step) override {
    for (Observer* one : all_) one->on_recorded(step);
  }
  void on_warning(const std::string& line) override {
    for (Observer* one : all_) one->on_warning(line);
  }
  void on_epoch_end(const History& history, Standing standing) override {
    for (Observer* one : all_) one->on_epoch_end(history, standing);
  }

 private:
  std::vector<Observer*> all_;
};

/// Progress for people: a line for each epoch that is done and, for a terminal, a bar for the one
/// that is not, as wide as the terminal at most, redrawn ten times a second at most and wiped away
/// at the end. Warnings in any style.
class ProgressReport : public Observer {
 public:
  enum class Style { bar, lines, warnings };

  ProgressReport(std::FILE* out, Style style) : out_(out), style_(style) {}
  ProgressReport(const ProgressReport&) = delete;
  ProgressReport& operator=(const ProgressReport&) = delete;
  ~ProgressReport() override { wipe(); }

  void on_begin(const TrainingPlan& plan) override { plan_ = plan; }
  void on_resume(const Resumption& from) override;
  void on_step(const EpochProgress& progress) override;
  void on_warning(const std::string& line) override;
  void on_epoch_end(const History& history, Standing standing) override;

 private:
  void wipe();

  std::FILE* out_;
  Style style_;
  TrainingPlan plan_;
  double drawn_ = -1.0;  // when the bar on the screen was drawn, in seconds of its epoch; -1: none
};

/// The bar:
///   epoch  3/30 [=======>        ]  45 %   1234 images/s  loss 0.2345  accuracy 91.2 %  0:12 left
std::string progress_bar(const TrainingPlan& plan, const EpochProgress& progress);

}  // namespace drape
