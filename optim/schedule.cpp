#include "optim/schedule.h"

#include <cmath>
#include <numbers>

#include "core/check.h"

namespace drape {
namespace {

// Half a cosine: `from` at progress 0, `to` at progress 1.
double anneal(double from, double to, double progress) {
  return to + (from - to) / 2.0 * (1.0 + std::cos(std::numbers::pi * progress));
}

double stepwise(const Schedule& schedule, std::int64_t t) {
  DRAPE_CHECK(schedule.period >= 1, "schedule: expected a period >= 1, got {}", schedule.period);
  const std::int64_t periods = t / (schedule.steps_per_epoch * schedule.period);
  return schedule.base * std::pow(schedule.factor, static_cast<double>(periods));
}

double one_cycle(const Schedule& schedule, double t) {
  const double total = static_cast<double>(schedule.steps());
  const double start = schedule.base / schedule.start_divisor;
  const double last = total - 1.0, peak = schedule.warm_up * total - 1.0;  // steps, peak < last
  if (t <= peak) return anneal(start, schedule.base, peak > 0.0 ? t / peak : 1.0);
  return anneal(schedule.base, start / schedule.end_divisor, (t - peak) / (last - peak));
}

}  // namespace

double Schedule::at(std::int64_t t) const {
  DRAPE_CHECK(t >= 0 && t < steps(), "schedule: expected a step in 0 ... {}, got {}", steps() - 1,
              t);
  const double step = static_cast<double>(t);
  switch (kind) {
    case ScheduleKind::constant:
      return base;
    case ScheduleKind::step:
      return stepwise(*this, t);
    case ScheduleKind::cosine:
      return anneal(base, 0.0, step / static_cast<double>(steps()));
    case ScheduleKind::one_cycle:
      return one_cycle(*this, step);
    case ScheduleKind::exponential:
      return steps() == 1 ? base
                          : base * std::pow(last / base, step / static_cast<double>(steps() - 1));
  }
  throw Error("schedule: expected a known kind");
}

}  // namespace drape
