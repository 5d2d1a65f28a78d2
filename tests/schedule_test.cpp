// Learning rates against their formulas and against PyTorch.
#include "optim/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/check.h"
#include "tests/catch.h"

using drape::Schedule;
using drape::ScheduleKind;

namespace {

std::vector<double> rates(const Schedule& schedule) {
  std::vector<double> all;
  for (std::int64_t t = 0; t < schedule.steps(); ++t) all.push_back(schedule.at(t));
  return all;
}

}  // namespace

TEST_CASE("a constant schedule keeps its base") {
  for (const double rate : rates({.base = 0.25, .epochs = 3, .steps_per_epoch = 2}))
    CHECK(rate == 0.25);
}

TEST_CASE("a step schedule is multiplied by its factor after each period of epochs") {
  const Schedule schedule{.kind = ScheduleKind::step,
                          .base = 1.0,
                          .epochs = 5,
                          .steps_per_epoch = 3,
                          .factor = 0.5,
                          .period = 2};
  const std::vector<double> expected{1, 1, 1, 1, 1, 1, .5, .5, .5, .5, .5, .5, .25, .25, .25};
  CHECK(rates(schedule) == expected);
}

TEST_CASE("a step schedule falls to a tenth every 10 epochs unless told otherwise") {
  const Schedule schedule{
      .kind = ScheduleKind::step, .base = 1.0, .epochs = 30, .steps_per_epoch = 2};
  CHECK(schedule.at(19) == 1.0);
  CHECK(schedule.at(20) == Approx(0.1));
  CHECK(schedule.at(39) == Approx(0.1));
  CHECK(schedule.at(40) == Approx(0.01));
}

TEST_CASE("a cosine schedule starts at its base, halves it halfway and falls towards zero") {
  const Schedule schedule{
      .kind = ScheduleKind::cosine, .base = 0.1, .epochs = 10, .steps_per_epoch = 10};
  const std::vector<double> all = rates(schedule);
  CHECK(all[0] == 0.1);
  CHECK(all[50] == Approx(0.05));
  CHECK(all[25] == Approx(0.05 * (1.0 + std::sqrt(0.5))));
  CHECK(all[99] == Approx(0.05 * (1.0 + std::cos(std::numbers::pi * 0.99))));
  CHECK(std::ranges::is_sorted(all, std::ranges::greater()));
}

TEST_CASE("a one-cycle schedule equals PyTorch's OneCycleLR") {
  // torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=10, 7, 2 or 1)
  const std::array<std::vector<double>, 4> goldens{
      {{0.0003999999999999993, 0.0052, 0.01, 0.009504846320134737, 0.008117456539497631,
        0.0061126202193628925, 0.003887419780637108, 0.00188258346050237, 0.0004951936798652628,
        4e-08},
       {0.0003999999999999993, 0.009805566273349588, 0.009190443762697106, 0.00672683836480545,
        0.003577387757396571, 0.0009929679189326559, 4e-08},
       {0.00811745653949763, 4e-08},
       {4e-08}}};
  for (const std::vector<double>& golden : goldens) {
    const Schedule schedule{.kind = ScheduleKind::one_cycle,
                            .base = 0.01,
                            .steps_per_epoch = static_cast<std::int64_t>(golden.size())};
    const std::vector<double> all = rates(schedule);
    REQUIRE(all.size() == golden.size());
    for (std::size_t t = 0; t < all.size(); ++t)
      CHECK(all[t] == Approx(golden[t]).epsilon(1e-12).margin(1e-17));
  }
}

TEST_CASE("a one-cycle schedule whose warm-up is one step starts at its base") {
  const Schedule schedule{
      .kind = ScheduleKind::one_cycle, .base = 0.01, .steps_per_epoch = 4, .warm_up = 0.25};
  CHECK(schedule.at(0) == 0.01);
  CHECK(schedule.at(1) < 0.01);
}

TEST_CASE("a schedule refuses steps outside the run") {
  const Schedule schedule{.epochs = 2, .steps_per_epoch = 5};
  CHECK_NOTHROW(schedule.at(9));
  CHECK_THROWS_WITH(schedule.at(10), "schedule: expected a step in 0 ... 9, got 10");
  CHECK_THROWS_AS(schedule.at(-1), drape::Error);
  CHECK_THROWS_WITH((Schedule{.kind = ScheduleKind::step, .period = 0}.at(0)),
                    "schedule: expected a period >= 1, got 0");
}
