// Speed of every op of the tests' op table that has a real size, in f32, forward and backward,
// beside the limits of this machine, measured in the same run; and whether what is timed is right.
//   bench_kernels [--filter '^deform_conv2d/backward'] [--device cuda] [--json FILE]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <regex>
#include <span>
#include <string>

#include "bench/measure.h"
#include "bench/options.h"
#include "bench/rates.h"
#include "bench/record.h"
#include "bench/work.h"
#include "core/print.h"

namespace {

using namespace drape;
using namespace drape::bench;

struct Options : CommonOptions {
  double seconds = 0.3;
  std::int64_t most_examples = 1 << 30;
  std::string filter = ".*";
  bool follow = false, once = false, plant = false;
};

// An op whose f32 has a wrong gradient.
tests::Op planted_op() {
  return {"planted",
          {{{2, 3}}},
          [](std::span<const Tensor> in) {
            return record(in[0].clone(), {in[0]}, [](const Tensor& dy) -> Grads {
              Tensor dx = dy.to(Device::cpu);
              if (dx.dtype() == DType::f32) dx.data<float>()[5] += 1e-3f;
              return {dx.to(dy.device())};
            });
          },
          {{"[64,10]", {{64, 10}}, 640.0}}};
}

std::vector<Row> rows_wanted(const Options& options) {
  std::vector<Row> all = rows(options.device(), options.most_examples);
  if (options.plant) {
    const tests::Op op = planted_op();
    for (Row& row : rows_of(op, op.real_sizes[0], options.device())) all.push_back(std::move(row));
  }
  const std::regex filter(options.filter);
  std::erase_if(all, [&](const Row& row) { return !std::regex_search(row.name, filter); });
  if (all.empty()) throw Error("expected a row that matches '" + options.filter + "', got none");
  return all;
}

Json measured(const Row& row, const Options& options, const Rates& rates) {
  const auto work = row.work();
  const RowTimings timings = time_work(*work, options.device(), options.seconds);
  Json result = row_of(row.name, timings.called);
  if (timings.cold) {
    result["warm"] = timings.warm->seconds;
    result["cold"] = timings.cold->seconds;
  }
  const double seconds = timings.at_best();
  result["GB/s"] = 1e-9 * work->bytes / seconds;
  result["GFLOP/s"] = 1e-9 * row.flop / seconds;
  result["share of limit"] = rates.limit(work->bytes, row.flop) / seconds;
  result["error"] = row.error();  // NaN is null in JSON, and wrong
  return result;
}

bool right(const Json& row) {
  return row.at("error").is_number() && row.at("error").get<double>() <= 1.0;
}

void print_head(const Json& conditions, const Rates& rates, Device device) {
  print(stdout, "{}, {}, {} threads, commit {}\n", conditions.at("machine").get<std::string>(),
        name(device), conditions.at("threads").get<int>(),
        conditions.at("commit").get<std::string>());
  print(stdout, "limits, measured: copy {:.1f} GB/s (read and written), product {:.1f} GFLOP/s\n",
        1e-9 * rates.copy, 1e-9 * rates.product);
  print(stdout,
        "above 100 %: data that a cache holds, or Winograd's fewer multiplications; "
        "error: in units of what is tolerated\n");
  print(stdout, "{:<56} {:>10} {:>6} ", "", "us", "+- %");
  if (device == Device::cuda) print(stdout, "{:>10} {:>10} ", "warm, us", "cold, us");
  print(stdout, "{:>7} {:>8} {:>8} {:>8}\n", "GB/s", "GFLOP/s", "% limit", "error");
}

void print_row(const Json& row) {
  const auto number = [&](const char* key) { return row.at(key).get<double>(); };
  print(stdout, "{:<56} {:>10.1f} {:>6.1f} ", row.at("name").get<std::string>(),
        1e6 * number("seconds"), 100.0 * number("noise"));
  if (row.contains("cold"))
    print(stdout, "{:>10.1f} {:>10.1f} ", 1e6 * number("warm"), 1e6 * number("cold"));
  print(stdout, "{:>7.1f} {:>8.1f} {:>8.0f} ", number("GB/s"), number("GFLOP/s"),
        100.0 * number("share of limit"));
  print(stdout, "{:>8.2f}{}\n", row.at("error").is_number() ? number("error") : 0.0,
        right(row) ? "" : "  WRONG");
  std::fflush(stdout);
}

// Times the row that each line of standard input names, and answers with a line of JSON.
void follow(const std::vector<Row>& rows, const Options& options, const Rates& rates,
            const Json& conditions) {
  Json names = Json::array();
  for (const Row& row : rows) names.push_back(row.name);
  std::cout << Json{{"conditions", conditions}, {"names", names}} << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto row = std::ranges::find(rows, line, &Row::name);
    if (row == rows.end()) throw Error("expected the name of a row, got '" + line + "'");
    std::cout << measured(*row, options, rates) << std::endl;
  }
}

// Calls every row twice, the second time where instructions are counted.
void call_once(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const auto work = row.work();
    for (const bool counted : {false, true}) {
      work->ready(1);
      counted ? call_counted(*work) : work->call(0);
    }
    print(stdout, "{}\n", row.name);
  }
}

int run(const Options& options, std::span<const char* const> arguments) {
  options.apply();
  const std::vector<Row> rows = rows_wanted(options);
  if (options.once) return call_once(rows), 0;
  const Rates rates{copy_rate(options.device()), product_rate(options.device())};
  Record record("bench_kernels", arguments, options.device(), options.json);
  record.add_condition("copy, GB/s", 1e-9 * rates.copy);
  record.add_condition("product, GFLOP/s", 1e-9 * rates.product);
  if (options.follow) return follow(rows, options, rates, record.conditions()), 0;
  print_head(record.conditions(), rates, options.device());
  bool all_right = true;
  for (const Row& row : rows) {
    const Json result = measured(row, options, rates);
    record.add_row(result);
    print_row(result);
    all_right = all_right && right(result);
  }
  return all_right ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Speed of kernels, beside the limits of the machine");
  options.add_to(app);
  app.add_option("--seconds", options.seconds, "for each time")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--most-examples", options.most_examples, "cut the op table's batches to so many")
      ->check(CLI::PositiveNumber);
  app.add_option("--filter", options.filter, "regular expression that a row's name contains");
  app.add_flag("--follow", options.follow, "time the rows that standard input names");
  app.add_flag("--once", options.once, "call each row twice, for bench/instructions.py");
  app.add_flag("--plant-error", options.plant, "add a row with a wrong gradient");
  app.set_version_flag("--toolchain", DRAPE_TOOLCHAIN, "what it was built with");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options, std::span<const char* const>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    print(stderr, "bench_kernels: {}\n", error.what());
    return 1;
  }
}
