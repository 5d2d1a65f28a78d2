// One experiment: a network, a protocol and a seed; from the data set to the files of its result.
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>

#include "data/fashion_mnist.h"
#include "examples/command_line.h"
#include "examples/run_result.h"
#include "models/build.h"
#include "optim/trainer.h"

namespace drape {

/// A data set as training reads it, on one device.
struct StoredData {
  Tensor train_images, train_labels;  // u8 [N,H,W,1], u8 [N]
  Tensor test_images, test_labels;
  bool synthetic = false;
  bool official = false;  // Fashion-MNIST itself
  bool whole = false;     // without a limit: published numbers may stand beside results
  std::string sha256{};   // of the training images, then their labels
};

/// Copies the data set to the device, of the training images the first `limit`; 0: all.
StoredData store(const DataSet& data, std::int64_t limit, Device device);

/// Who trains, and who judges.
struct Selection {
  Examples training, validation;
  std::optional<Examples> test;  // held_out only: for one look at the end
};

/// held_out: a twelfth of the training images, stratified and drawn by the seed, validates.
/// published: all of them train, the test images validate. Error: fewer than two training images.
Selection select_examples(const StoredData& data, Protocol protocol, std::uint64_t seed);

struct Experiment {
  std::string system;  // its name
  NetworkOptions network;
  TrainerOptions training;
  Protocol protocol = Protocol::held_out;
  std::filesystem::path folder;  // where its files go
  Precision precision = Precision::fp32;
  Events events = Events::none;
  std::string config{};  // its options, for config.toml; empty: none is written
};

struct Outcome {
  StopReason stop_reason = StopReason::max_epochs;
  std::string divergence;  // TrainResult's, like the next
  bool resumable = false;
  std::optional<RunResult> run{};  // none, and nothing written: not one epoch was finished
};

/// The experiment's network with its first weights.
Sequential initial_model(const Experiment& experiment, Device device);

/// Trains the system from scratch and looks once at the test images, unless it was interrupted or
/// diverged. history.csv and result.json are written after every epoch. weights.safetensors is
/// written after every epoch that is the best so far. config.toml is written before the first
/// epoch, or after it where results of an earlier run are replaced. States of training are written
/// as training.checkpoints says: whatever ends the process loses what was done since the last one.
Outcome run_experiment(const Experiment& experiment, const StoredData& data, Observer& progress,
                       const std::atomic<bool>& interrupted);

}  // namespace drape
