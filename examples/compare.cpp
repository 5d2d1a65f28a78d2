// Trains the systems of the study one after the other and reports them beside the published
// numbers.
//   build/release/bin/compare            all eight; the report is out/report.html
//   build/release/bin/compare --quick    a look at all of it in minutes
#include "examples/comparison.h"

int main(int argc, char** argv) {
  return drape::compare_program(argc, argv);
}
