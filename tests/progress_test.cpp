// What the progress of training looks like.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
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

TEST_CASE("a progress bar is no wider than its terminal") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE((::grantpt(terminal) == 0 && ::unlockpt(terminal) == 0));
  const struct winsize narrow { .ws_row = 5, .ws_col = 30, .ws_xpixel = 0, .ws_ypixel = 0 };
  std::FILE* const out = std::fopen(::ptsname(terminal), "w");
  REQUIRE(out != nullptr);
  REQUIRE(::ioctl(::fileno(out), TIOCSWINSZ, &narrow) == 0);
  char drawn[256] = {};
  {
    drape::ProgressReport report(out, drape::ProgressReport::Style::bar);
    report.on_begin({.epochs = 1, .images_per_epoch = 1000});
    report.on_step({.epoch = 1, .images = 500, .seconds = 1.0});
    REQUIRE(::read(terminal, drawn, sizeof(drawn) - 1) > 0);
  }
  CHECK(std::string(drawn) == "\r\x1b[Kepoch  1/1 [========>       ]");
  std::fclose(out);
  ::close(terminal);
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
  CHECK(drawn(drape::ProgressReport::Style::warnings).empty());
}

TEST_CASE("a run that goes on says where, and one that is over that it is") {
  const auto said = [](const drape::Resumption& from) {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    drape::ProgressReport(file, drape::ProgressReport::Style::lines).on_resume(from);
    std::rewind(file);
    char text[64] = {};
    REQUIRE(std::fgets(text, sizeof(text), file) != nullptr);
    std::fclose(file);
    return std::string(text);
  };
  const drape::History one(1);
  CHECK(said({.history = one, .epoch = 2, .steps = 5}) ==
        "going on in epoch 2, after 5 steps of it\n");
  CHECK(said({.history = one, .epoch = 1, .steps = 9}) ==
        "finished already: epoch 1 was the last\n");
}
