// What charts are made of: axis steps, numbers, and labels that do not collide.
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "examples/report/markup.h"
#include "examples/report/svg.h"
#include "examples/report/text.h"
#include "kernels/philox.h"
#include "tests/catch.h"

using namespace drape;

TEST_CASE("numbers are written for people") {
  CHECK(grouped_digits(0) == "0");
  CHECK(grouped_digits(999) == "999");
  CHECK(grouped_digits(421642) == "421,642");
  CHECK(grouped_digits(-1234567) == "-1,234,567");
  CHECK(points(0.0012) == "+0.12");
  CHECK(points(-0.0034) == "−0.34");
  CHECK(points(-0.00001) == "0.00");
  CHECK(coordinate(1.0) == "1");
  CHECK(coordinate(-0.001) == "0");
  CHECK(coordinate(12.345) == "12.35");
  CHECK(tick_label(0.5, 0.1) == "0.5");
  CHECK(tick_label(92.0, 0.05) == "92.00");
  CHECK(tick_label(20.0, 5.0) == "20");
}

TEST_CASE("axis steps are nice, few, and cover the data") {
  const RandomStream stream{7, 0};
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const double scale = std::pow(10.0, std::floor(24.0 * stream.uniform(4 * i)) - 12.0);
    const double low = scale * (stream.uniform(4 * i + 1) - 0.5);
    const double span = scale * stream.uniform(4 * i + 2) * (i % 10 == 0 ? 0.0 : 1.0);
    const int most = 2 + static_cast<int>(10.0 * stream.uniform(4 * i + 3));
    const double step = nice_step(span, most);
    CAPTURE(low, span, most, step);
    const double digit = step / std::pow(10.0, std::floor(std::log10(step) + 1e-9));
    CHECK((digit == Approx(1.0) || digit == Approx(2.0) || digit == Approx(5.0)));
    const Range range = widen({low, low + span}, step);
    CHECK(range.low <= low + 1e-6 * step);
    CHECK(range.high >= low + span - 1e-6 * step);
    CHECK(range.span() > 0.0);
    const std::vector<double> values = ticks(range, step);
    REQUIRE(values.size() >= 2);
    CHECK(static_cast<int>(values.size()) <= most + 2);  // both ends may be widened by a step
    std::set<std::string> labels;
    for (std::size_t k = 0; k < values.size(); ++k) {
      labels.insert(tick_label(values[k], step));
      if (k > 0) CHECK(values[k] - values[k - 1] == Approx(step));
    }
    CHECK(labels.size() == values.size());
  }
}

TEST_CASE("axis steps of whole things are whole") {
  for (int epochs = 1; epochs <= 300; ++epochs) {
    const double step = nice_step(epochs, 12, 1.0);
    CHECK(step >= 1.0);
    CHECK(step == std::floor(step));
    CHECK(epochs / step <= 12.0 + 1e-9);
  }
}

// Whether they share more than an edge.
static bool overlap(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

TEST_CASE("labels lie inside the chart and over nothing") {
  const Box bounds{48, 36, 364, 278};
  const RandomStream stream{11, 0};
  std::uint64_t next = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<Label> labels;
    // Every other trial, all points share one x, as systems with equally many parameters do.
    const double shared = 48 + 316 * stream.uniform(next++);
    for (int i = 0; i < 8; ++i) {
      const double x = trial % 2 == 0 ? shared : 48 + 316 * stream.uniform(next++);
      const double y = 36 + 242 * stream.uniform(next++);
      labels.push_back({x, y, 30 + 70 * stream.uniform(next++), 14, {x - 7, y - 7, x + 7, y + 7}});
    }
    const std::vector<Box> boxes = place_labels(labels, bounds);
    REQUIRE(boxes.size() == labels.size());
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      CHECK(boxes[i].left >= bounds.left);
      CHECK(boxes[i].right <= bounds.right + 1e-9);
      CHECK(boxes[i].top >= bounds.top);
      CHECK(boxes[i].bottom <= bounds.bottom + 1e-9);
      for (std::size_t j = 0; j < boxes.size(); ++j) {
        CHECK_FALSE(overlap(boxes[i], labels[j].mark));
        if (i != j) CHECK_FALSE(overlap(boxes[i], boxes[j]));
      }
    }
  }
}
