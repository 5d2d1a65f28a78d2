#include "optim/observers.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

#include "core/print.h"

namespace drape {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr std::size_t kBarWidth = 16;
constexpr const char* kWipe = "\r\x1b[K";  // back to the start of the line, and clear it

// Columns of the terminal's line but the last, behind which it wraps; npos if unknown.
std::size_t columns_of(std::FILE* out) {
  struct winsize size = {};
  if (::ioctl(::fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::string::npos;
  return size.ws_col - std::size_t{1};
}

}  // namespace

std::string progress_bar(const TrainingPlan& plan, const EpochProgress& progress) {
  const auto done = static_cast<double>(progress.images);
  const double total = static_cast<double>(std::max<std::int64_t>(plan.images_per_epoch, 1));
  const double speed = progress.seconds > 0.0 ? done / progress.seconds : 0.0;
  const long left = speed > 0.0 ? std::lround((total - done) / speed) : 0;
  const auto filled = std::min(static_cast<std::size_t>(done / total * kBarWidth), kBarWidth);
  std::string bar(filled, '=');
  if (filled < kBarWidth) bar += '>';
  return fmt::format(
      "epoch {:2}/{} [{:<{}}] {:3.0f} % {:6.0f} images/s  loss {:.4f}  accuracy {:.1f} %  "
      "{}:{:02} left",
      progress.epoch, plan.epochs, bar, kBarWidth, 100.0 * done / total, speed, progress.loss,
      100.0 * progress.accuracy, left / 60, left % 60);
}

void ProgressReport::on_resume(const Resumption& from) {
  if (style_ == Style::warnings) return;
  if (std::ssize(from.history) == from.epoch)
    print(out_, "finished already: epoch {} was the last\n", from.epoch);
  else
    print(out_, "going on in epoch {}, after {} steps of it\n", from.epoch, from.steps);
}

void ProgressReport::on_step(const EpochProgress& progress) {
  if (style_ != Style::bar) return;
  if (drawn_ >= 0.0 && progress.seconds - drawn_ < kRedrawSeconds) return;
  drawn_ = progress.seconds;
  print(out_, "{}{}", kWipe, progress_bar(plan_, progress).substr(0, columns_of(out_)));
  std::fflush(out_);
}

void ProgressReport::on_warning(const std::string& line) {
  wipe();
  print(out_, "{}\n", line);
  std::fflush(out_);
}

void ProgressReport::on_epoch_end(const History& history, Standing standing) {
  if (style_ == Style::warnings) return;
  wipe();
  const EpochRecord& last = history.back();
  print(out_,
        "epoch {:2}/{}  loss {:.4f}  accuracy {:.2f} %  validation loss {:.4f}  accuracy "
        "{:.2f} %  {:.1f} s{}\n",
        last.epoch, plan_.epochs, last.train_loss, 100.0 * last.train_accuracy,
        last.validation_loss, 100.0 * last.validation_accuracy, last.seconds,
        standing == Standing::best ? "  best" : "");
  std::fflush(out_);
}

void ProgressReport::wipe() {
  if (drawn_ < 0.0) return;
  drawn_ = -1.0;
  std::fputs(kWipe, out_);
  std::fflush(out_);
}

}  // namespace drape
