// How far the deformable layers of a network look away from the regular grid, epoch by epoch: data,
// its file, and the observer that records it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "optim/metrics.h"
#include "optim/observers.h"

namespace drape {

/// Where the bins of lengths end, in pixels of the layer's input; the last bin has no end.
inline constexpr std::array kOffsetBinEnds{0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6};

/// The lengths sqrt(dy^2 + dx^2) of one layer's offsets after one epoch.
struct OffsetHistogram {
  int epoch = 0;
  std::string layer;
  std::int64_t side = 0;                                         // of the layer's input, in pixels
  std::array<std::int64_t, kOffsetBinEnds.size() + 1> counts{};  // by bin
  std::int64_t escaping = 0;                                     // longer than half of the side

  std::int64_t total() const;
  /// The part that is shorter than 0.05 pixel, and that which is longer than half of the side.
  double dead_part() const;
  double escaping_part() const;

  bool operator==(const OffsetHistogram&) const = default;
};

/// By epoch, then in the order of the layers.
using OffsetHistory = std::vector<OffsetHistogram>;

/// Counts offsets [..., (dy, dx)] of a layer whose input has that side; `epoch` and `layer` are
/// left to the caller.
OffsetHistogram count_offsets(const Tensor& offsets, std::int64_t side);

/// The file offsets.json of a run's folder, written atomically; the folder must exist.
void write_offsets(const OffsetHistory& history, const std::filesystem::path& folder);

/// Reads it back; empty where there is none, as in runs of older versions and of networks without
/// deformable layers. Error naming the file and what is wrong in it.
OffsetHistory read_offsets(const std::filesystem::path& folder);

/// Counts after every epoch the offsets over a few images, and writes them down. Of a network
/// without deformable layers it writes nothing.
class OffsetRecorder : public Observer {
 public:
  /// The model and the examples outlive it.
  OffsetRecorder(std::filesystem::path folder, Sequential& model, const Examples& examples);

  void on_resume(const Resumption& from) override;
  void on_epoch_end(const History& history, Standing standing) override;

 private:
  std::filesystem::path folder_;
  Sequential& model_;
  Tensor images_;  // [N,H,W,C], as the model takes them
  OffsetHistory history_;
};

}  // namespace drape
