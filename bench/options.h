// Command line options that all benchmarks have: where they run and where they write.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>

#include "kernels/backend.h"

namespace drape::bench {

class CommonOptions {
 public:
  void add_to(CLI::App& app);
  /// Sets the number of threads and CUDA's arithmetic.
  void apply() const;

  Device device() const { return cuda_ ? Device::cuda : Device::cpu; }

  std::filesystem::path json;

 private:
  bool cuda_ = false, tf32_ = false;
  int threads_ = 0;
};

}  // namespace drape::bench
