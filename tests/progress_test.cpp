// What the progress of training looks like.
#include <algorithm>
#include <cstdio>
#include <string>

#include "optim/observers.h"
#include "tests/catch.h"

TEST_CASE("a progress bar fits on a line and tells how far, how fast and how long") {
  const drape::TrainingPlan plan{.epochs = 30, .images_per_epoch = 55'000};
  CHECK(
      drape::progress_bar(
          plan, {.epoch = 3, .images = 27'500, .loss = 0.25, .accuracy = 0.912, .seconds = 25.0}) ==
      "epoch  3/30 [========>       ]  50 %   1100 images/s  loss 0.2500  accuracy 91.2 %  0:25 "
      "left");
  CHECK_THAT(drape::progress_bar(plan, {.epoch = 1, .images = 55'000, .seconds = 1.0}),
             ContainsSubstring("[================] 100 %"));
  CHECK_THAT(drape::progress_bar(plan, {}), ContainsSubstring("0:00 left"));
}

TEST_CASE("progress is drawn at most ten times a second, and lines alone without a terminal") {
  const auto drawn = [](drape::ProgressReport::Style style) {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    {
      drape::ProgressReport report(file, style);
      report.on_begin({.epochs = 1, .images_per_epoch = 1000});
      for (int i = 1; i <= 1000; ++i)
        report.on_step({.epoch = 1, .images = i, .seconds = 0.001 * i});
      report.on_epoch_end({{.epoch = 1, .validation_accuracy = 0.5}}, drape::Standing::best);
    }
    std::rewind(file);
    std::string text;
    for (int c; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
    std::fclose(file);
    return text;
  };
  const std::string bar = drawn(drape::ProgressReport::Style::bar);
  const auto draws = std::ranges::count(bar, '\r');  // one second, and one to wipe the bar away
  CHECK(draws >= 9);
  CHECK(draws <= 12);
  CHECK_THAT(bar, ContainsSubstring("\r\x1b[Kepoch  1/1  loss"));
  CHECK(drawn(drape::ProgressReport::Style::lines) ==
        "epoch  1/1  loss 0.0000  accuracy 0.00 %  validation loss 0.0000  accuracy 50.00 %  "
        "0.0 s  best\n");
}
