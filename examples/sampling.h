// Where a network of two deformable layers looks for one output pixel, after figure 6 of Dai et al.
// 2017 (arXiv:1703.06211).
#pragma once

#include <optional>
#include <vector>

#include "layers/module.h"

namespace drape {

/// In pixels of the image; (0, 0) is the middle of the pixel at its top left.
struct Position {
  double y = 0.0, x = 0.0;
};

/// What one output pixel of the second layer samples.
struct SamplingPoints {
  Position output;                // the pixel itself
  std::vector<Position> regular;  // the taps of an ordinary convolution
  std::vector<Position> taps;     // the second layer's
  std::vector<Position> points;   // the first layer's, of each tap that lies in its output
};

/// The offsets of a network's deformable layers for one image.
class SamplingGrid {
 public:
  /// x: one image, [1,H,W,C]. None unless the network has exactly two deformable layers, which are
  /// 3 x 3 with stride 1 and padding 1, as those of the study.
  static std::optional<SamplingGrid> of(Sequential& network, const Tensor& x);

  /// Rows of the second layer's output, which has as many columns.
  std::int64_t side() const { return second_.side; }

  /// For the pixel (p, q) of the second layer's output. A tap between the pixels of the first
  /// layer's output reads offsets between them, bilinearly; a pixel after pooling stands for the
  /// middle of its window.
  SamplingPoints points(std::int64_t p, std::int64_t q) const;

 private:
  struct Layer {
    std::int64_t side = 0;       // of its input and output
    double scale = 1.0;          // the image's side over this one
    std::vector<float> offsets;  // [side,side,tap,(dy,dx)]

    std::vector<Position> taps(Position at) const;  // both in the layer's pixels
    Position in_image(Position at) const;
    Position from_image(Position at) const;
  };

  Layer first_, second_;
};

}  // namespace drape
