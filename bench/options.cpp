#include "bench/options.h"

#include <string>

#include "kernels/parallel.h"

namespace drape::bench {

void CommonOptions::add_to(CLI::App& app) {
  app.add_option_function<std::string>("--device",
                                       [this](const std::string& word) { cuda_ = word == "cuda"; })
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->default_str("cpu");
  app.add_flag("--tf32", tf32_, "on cuda: products of factors rounded to TF32");
  app.add_option("--threads", threads_, "0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--json", json, "also write what is measured to this file")->type_name("FILE");
}

void CommonOptions::apply() const {
  if (threads_ > 0) kernels::set_thread_count(threads_);
  if constexpr (kCudaBuilt) set_cuda_math(tf32_ ? Math::tf32 : Math::f32);
}

}  // namespace drape::bench
