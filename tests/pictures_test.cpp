// What the report shows of trained networks: offsets that are counted, points where a network
// looks, mixed images, and all of it on the page.
#include "examples/pictures.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "examples/report/html.h"
#include "models/deformable.h"
#include "models/standard.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/report_helpers.h"

namespace {

using namespace drape;
using namespace drape::tests;

// The network with zeros everywhere but for one element of one tensor.
Sequential deformable_with(std::string_view name, std::size_t element, float value) {
  Sequential network = deformable_cnn();
  for (NamedTensor& entry : network.state()) {
    std::vector<float> values(static_cast<std::size_t>(entry.tensor.size()));
    if (entry.name == name) values.at(element) = value;
    entry.tensor.assign(Tensor::from<float>(entry.tensor.shape(), values));
  }
  return network;
}

SamplingPoints points_of(Sequential network, std::int64_t p, std::int64_t q) {
  const auto grid = SamplingGrid::of(network, Tensor::zeros({1, 28, 28, 1}));
  REQUIRE(grid);
  CHECK(grid->side() == 14);
  return grid->points(p, q);
}

double furthest(const std::vector<Position>& a, const std::vector<Position>& b) {
  REQUIRE(a.size() == b.size());
  double distance = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    distance = std::max(distance, std::hypot(a[i].y - b[i].y, a[i].x - b[i].x));
  return distance;
}

Examples some_examples() {
  return {Tensor::zeros({2, 28, 28, 1}, DType::u8), Tensor::zeros({2}, DType::u8), {0, 1}, 10};
}

}  // namespace

TEST_CASE("offsets are counted by length, dead and escaping ones among them") {
  // Lengths 0, 0.05, 5, 14, 14.5 and 100: a bin holds its lower end, and half of 28 is no escape.
  const std::vector<float> offsets{0, 0, 0, 0.05001f, 3, -4, 14, 0, 0, -14.5f, 60, 80};
  const OffsetHistogram one = count_offsets(Tensor::from<float>({1, 1, 1, 12}, offsets), 28);
  CHECK(one.counts == decltype(one.counts){1, 1, 0, 0, 0, 0, 0, 1, 0, 2, 1});
  CHECK(one.total() == 6);
  CHECK(one.escaping == 2);
  CHECK(one.dead_part() == Approx(1.0 / 6.0));
  CHECK(one.escaping_part() == Approx(2.0 / 6.0));
  const OffsetHistogram nan = count_offsets(Tensor::from<float>({2}, {NAN, 0.0f}), 28);
  CHECK(nan.escaping == 1);
}

TEST_CASE("offsets are recorded after every epoch, and a run that goes on keeps those before") {
  const TemporaryFolder folder;
  Sequential network = deformable_with("conv2.offset.bias", 1, 8.0f);  // dx of the first tap
  const Examples examples = some_examples();
  OffsetRecorder recorder(folder.path(), network, examples);
  History history{{.epoch = 1}};
  recorder.on_epoch_end(history, Standing::best);
  history.push_back({.epoch = 2});
  recorder.on_epoch_end(history, Standing::not_best);
  const OffsetHistory written = read_offsets(folder.path());
  REQUIRE(written.size() == 4);
  CHECK(written[0].layer == "conv1");
  CHECK(written[0].side == 28);
  CHECK(written[0].dead_part() == 1.0);
  CHECK(written[3].layer == "conv2");
  CHECK(written[3].epoch == 2);
  CHECK(written[3].escaping_part() == Approx(1.0 / 9.0));

  OffsetRecorder again(folder.path(), network, examples);
  history.pop_back();
  again.on_resume({.history = history, .best_epoch = 1});
  history.push_back({.epoch = 2});
  again.on_epoch_end(history, Standing::not_best);
  CHECK(read_offsets(folder.path()) == written);
}

TEST_CASE("a network without deformable layers records no offsets") {
  const TemporaryFolder folder;
  Sequential network = standard_cnn();
  OffsetRecorder recorder(folder.path(), network, some_examples());
  recorder.on_epoch_end({{.epoch = 1}}, Standing::best);
  CHECK(folder.entries() == 0);
  CHECK(read_offsets(folder.path()).empty());
}

TEST_CASE("damaged offsets are refused by name") {
  const TemporaryFolder folder;
  OffsetHistogram one = count_offsets(Tensor::zeros({2}), 28);
  one.epoch = 1;
  one.layer = "conv1";
  write_offsets({one}, folder.path());
  CHECK(read_offsets(folder.path()) == OffsetHistory{one});  // the control
  const std::string good = content(folder / "offsets.json");
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    write_bytes(folder / "offsets.json", bytes(text));
    return error_of([&] { read_offsets(folder.path()); });
  };
  CHECK_THAT(refused("{", "["), ContainsSubstring("offsets.json"));
  CHECK_THAT(refused("\"layer\"", "\"liar\""), ContainsSubstring("layer"));
  CHECK_THAT(refused("0.05", "0.06"), ContainsSubstring("bins that end at"));
  CHECK_THAT(refused("[1,0", "[1"), ContainsSubstring("expected 11 counts, got 10"));
  CHECK_THAT(refused("[1,0", "[1,-1"), ContainsSubstring("counts of 0 ... 2^48"));
  CHECK_THAT(refused("[1,0", "[1.5,0"), ContainsSubstring("'counts', got 1.5"));
  CHECK_THAT(refused("\"epoch\":1", "\"epoch\":4294967297"), ContainsSubstring("'epoch'"));
  CHECK_THAT(refused("\"escaping\":0", "\"escaping\":2"), ContainsSubstring("escape"));
  CHECK_THAT(refused("\"epoch\":1", "\"epoch\":0"), ContainsSubstring("epoch"));
}

TEST_CASE("without offsets a network looks where an ordinary one does") {
  const SamplingPoints points = points_of(deformable_with("", 0, 0.0f), 5, 6);
  // Pixel (5, 6) of 14 x 14 covers the rows 10, 11 and the columns 12, 13 of the image.
  CHECK(points.output.y == 10.5);
  CHECK(points.output.x == 12.5);
  CHECK(furthest(points.taps, points.regular) == 0.0);
  CHECK(points.taps.front().y == 8.5);
  CHECK(points.taps.back().x == 14.5);
  REQUIRE(points.points.size() == 81);
  CHECK(points.points.front().y == 7.5);
  CHECK(points.points.front().x == 9.5);
  CHECK(points.points.back().x == 15.5);
}

TEST_CASE("offsets of both layers move what a network looks at") {
  const SamplingPoints still = points_of(deformable_with("", 0, 0.0f), 5, 6);
  // dy of the first tap: two pixels of the second layer are four of the image, and the points of
  // that tap go with it.
  const SamplingPoints second = points_of(deformable_with("conv2.offset.bias", 0, 2.0f), 5, 6);
  CHECK(second.taps[0].y == still.taps[0].y + 4.0);
  CHECK(second.taps[1].y == still.taps[1].y);
  CHECK(second.points[0].y == still.points[0].y + 4.0);
  CHECK(second.points[9].y == still.points[9].y);
  // dx of the last tap: each tap's last point moves.
  const SamplingPoints first = points_of(deformable_with("conv1.offset.bias", 17, -0.5f), 5, 6);
  CHECK(furthest(first.taps, still.taps) == 0.0);
  CHECK(first.points[8].x == still.points[8].x - 0.5);
  CHECK(first.points[80].x == still.points[80].x - 0.5);
  CHECK(first.points[7].x == still.points[7].x);
}

TEST_CASE("a tap beside the first layer's output has no points") {
  CHECK(points_of(deformable_with("", 0, 0.0f), 0, 0).points.size() == 4 * 9);
  Sequential ordinary = standard_cnn();
  CHECK_FALSE(SamplingGrid::of(ordinary, Tensor::zeros({1, 28, 28, 1})));
}

TEST_CASE("mixed images are what lambda says") {
  const LabelledImages images{1, 2, {0, 200, 100, 0, 50, 250}, {3, 4, 5}};
  const std::vector<MixedImage> mixed = picture_mixup(images, 1.0);
  REQUIRE(mixed.size() == 3);
  for (std::size_t n = 0; n < mixed.size(); ++n) {
    CHECK(mixed[n].label == images.labels[n]);
    const auto other = static_cast<std::size_t>(mixed[n].other_label - 3);
    for (std::size_t i = 0; i < 2; ++i)
      CHECK(mixed[n].image.pixels[i] ==
            std::lround(mixed[n].lambda * images.pixels[2 * n + i] +
                        (1.0 - mixed[n].lambda) * images.pixels[2 * other + i]));
  }
}

TEST_CASE("the report shows its pictures, escaped, or says why they are missing") {
  const std::vector<RunResult> runs{run_of("deformable", 3, 0.9), run_of("standard_mixup", 3, 0.8)};
  const GreyImage image{28, 28, std::vector<std::uint8_t>(28 * 28, 7)};
  OffsetHistogram offsets = count_offsets(Tensor::zeros({2}), 28);
  offsets.epoch = 1;
  offsets.layer = "<conv1>";
  ReportOptions options{.class_names = {"<cat>", "dog"}};
  options.pictures.runs = {
      {.system = "deformable",
       .seed = 3,
       .filters = {4, 2, 14, 14, 0.5, image},
       .offsets = {offsets},
       .mistakes = {{image, {.image = 0, .label = 0, .prediction = 1, .probability = 0.987}}},
       .sampling = {{image, 0, "inside", points_of(deformable_with("", 0, 0.0f), 5, 6)}}}};
  options.pictures.mixed = {{image, 0.25, 0, 1}};
  const std::string page = html_report(summarize(runs), options);
  for (const char* part :
       {"Where deformable layers look", "How far they look", "Filters of the first layer",
        "What MixUp trains with", "The surest mistakes", "data:image/png;base64,", "98.7 %",
        "0.25 &lt;cat&gt;", "+ 0.75 dog", "100.00 % dead, 0.00 % escaping", "img-src data:"})
    CHECK_THAT(page, ContainsSubstring(part));
  CHECK_THAT(page, !ContainsSubstring("<cat>"));
  CHECK_THAT(page, !ContainsSubstring("<conv1>"));

  options.pictures.runs[0].seed = 4;  // of another run
  options.pictures.mixed.clear();
  options.pictures.missing = "No images: <none>.";
  const std::string bare = html_report(summarize(runs), options);
  CHECK_THAT(bare, ContainsSubstring("No images: &lt;none&gt;."));
  CHECK_THAT(bare, !ContainsSubstring("data:image/png"));
  CHECK_THAT(bare, !ContainsSubstring("The surest mistakes"));
}
