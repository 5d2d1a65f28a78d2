// All that there is to do with a model, in one program.
//   build/release/bin/drape train deformable --protocol published
//   build/release/bin/drape compare --quick
//   build/release/bin/drape predict out/standard/seed0/weights.safetensors shirt.png
//   build/release/bin/drape evaluate out/standard/seed0/weights.safetensors --mistakes mistakes.svg
//   build/release/bin/drape export out/standard/seed0/weights.safetensors standard.onnx
//   build/release/bin/drape export WEIGHTS torch.safetensors --layout pytorch
#include "examples/commands.h"

int main(int argc, char** argv) {
  return drape::drape_program(argc, argv);
}
