// Deformable CNN: the standard CNN with deformable convolutions, Dai et al. 2017
// (arXiv:1703.06211).
//   build/release/bin/deformable --protocol published
// Published: 92.20 % best validation accuracy at epoch 13; with --mixup 1 92.87 % at epoch 23.
// Measured: 93.03 % at epoch 15; with --mixup 1 93.20 %.
#include "examples/program.h"

int main(int argc, char** argv) {
  return drape::training_program(
      argc, argv, "Deformable CNN on Fashion-MNIST: the standard CNN with deformable convolutions.",
      {.architecture = drape::Architecture::deformable});
}
