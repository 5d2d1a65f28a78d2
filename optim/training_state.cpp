#include "optim/training_state.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_text.h"

namespace drape {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kKind = "drape training state 1", kHistory = "history";

constexpr std::int64_t kColumns = kEpochColumns.size();

double check_quantity(double value, std::string_view name) {
  DRAPE_CHECK(std::isfinite(value) && value >= 0.0, "expected finite numbers >= 0 as '{}', got {}",
              name, value);
  return value;
}

// Takes fields out of an object, in any order; each must be there and hold what is asked for.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {
    DRAPE_CHECK(object.is_object(), "expected an object, got {}", object.type_name());
  }

  const Json& at(const char* name) const {
    const auto field = object_.find(name);
    DRAPE_CHECK(field != object_.end(), "expected a field '{}', got none", name);
    return *field;
  }

  // A whole number of low ... high.
  template <class T>
  T whole(const char* name, T low, T high) const {
    const Json& value = at(name);
    const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                                 : value.is_number_integer() &&
                                                       std::in_range<T>(value.get<std::int64_t>());
    DRAPE_CHECK(fits && value.get<T>() >= low && value.get<T>() <= high,
                "expected a whole number {} ... {} as '{}', got {}", low, high, name,
                value.is_number() ? value.dump() : value.type_name());
    return value.get<T>();
  }

  // A finite number, at least 0.
  double quantity(const char* name) const {
    DRAPE_CHECK(at(name).is_number(), "expected a number as '{}', got {}", name,
                at(name).type_name());
    return check_quantity(at(name).get<double>(), name);
  }

  std::string text(const char* name) const {
    DRAPE_CHECK(at(name).is_string(), "expected text as '{}', got {}", name, at(name).type_name());
    return at(name).get<std::string>();
  }

 private:
  const Json& object_;
};

// [epochs, numbers]
Tensor table_of(const History& history) {
  std::vector<double> numbers;
  for (const EpochRecord& record : history) {
    for (const EpochColumn& column : kEpochColumns) numbers.push_back(record.*column.number);
  }
  return Tensor::from<double>({static_cast<std::int64_t>(history.size()), kColumns}, numbers);
}

History history_of(const Tensor& table) {
  const Shape& shape = table.shape();
  DRAPE_CHECK(table.dtype() == DType::f64 && shape.rank() == 2 && shape[1] == kColumns,
              "expected f64 [epochs,{}] as '{}', got {} {}", kColumns, kHistory,
              name(table.dtype()), shape.to_string());
  History history;
  const std::vector<double> numbers = table.to_vector<double>();
  for (auto number = numbers.begin(); number != numbers.end();) {
    EpochRecord record{.epoch = static_cast<int>(history.size()) + 1};
    for (const EpochColumn& column : kEpochColumns)
      record.*column.number = check_quantity(*number++, kHistory);
    history.push_back(record);
  }
  return history;
}

// Takes a tensor out of those that a file holds.
Tensor take(NamedTensors& tensors, std::string_view name) {
  const auto entry = std::ranges::find(tensors, name, &NamedTensors::value_type::first);
  DRAPE_CHECK(entry != tensors.end(), "expected a tensor '{}', got none", name);
  Tensor tensor = entry->second;
  tensors.erase(entry);
  return tensor;
}

std::string json_of(const TrainingState& state) {
  const auto whole = [](auto value) { return fmt::format("{}", value); };
  std::vector<std::pair<std::string_view, std::string>> members{
      {"device", json_quoted(state.device)},
      {"epoch", whole(state.epoch)},
      {"step", whole(state.progress.step)},
      {"loss_sum", json_number(state.progress.loss_sum)},
      {"images", whole(state.progress.images)},
      {"correct", whole(state.progress.correct)},
      {"streams", whole(state.progress.streams)},
      {"seed", whole(state.shuffling.seed)},
      {"shuffling", whole(state.shuffling.id)},
      {"mixing", whole(state.mixing.id)},
      {"augmenting", whole(state.augmenting.id)},
      {"epoch_seconds", json_number(state.epoch_seconds)},
      {"best_epoch", whole(state.stopping.best_epoch)},
      {"best_value", json_number(state.stopping.best_value)},
      {"waited", whole(state.stopping.waited)},
      {"trained_images", whole(state.images)},
      {"training_seconds", json_number(state.training_seconds)},
      {"seconds", json_number(state.seconds)}};
  if (state.ended) members.emplace_back("ended", json_quoted(name(*state.ended)));
  return json_object(members);
}

StopReason ending(const std::string& text) {
  for (const StopReason reason : {StopReason::max_epochs, StopReason::early_stopping})
    if (text == name(reason)) return reason;
  throw Error(fmt::format("expected max_epochs or early_stopping as 'ended', got '{}'", text));
}

// The stream that a generator of this purpose hands out next.
RandomStream stream(const Fields& fields, const char* field, Purpose purpose) {
  const std::uint64_t first = static_cast<std::uint64_t>(purpose) << 48, most = ~std::uint64_t{0};
  const auto seed = fields.whole<std::uint64_t>("seed", 0, most);
  return {seed, fields.whole<std::uint64_t>(field, first, first + (std::uint64_t{1} << 48) - 1)};
}

TrainingState state_of(const Json& json, History history) {
  constexpr std::int64_t kMost = std::int64_t{1} << 53;
  constexpr int kMostEpochs = 1 << 30;
  const Fields fields(json);
  TrainingState state;
  state.device = fields.text("device");
  state.epoch = fields.whole<int>("epoch", 1, kMostEpochs);
  kernels::Progress& progress = state.progress;
  progress.step = fields.whole<std::int64_t>("step", 0, kMost);
  progress.loss_sum = fields.quantity("loss_sum");
  progress.images = fields.whole<std::int64_t>("images", 0, kMost);
  progress.correct = fields.whole<std::int64_t>("correct", 0, progress.images);
  progress.streams = fields.whole<std::uint64_t>("streams", 0, kMost);
  state.shuffling = stream(fields, "shuffling", Purpose::shuffle);
  state.mixing = stream(fields, "mixing", Purpose::mixup);
  state.augmenting = stream(fields, "augmenting", Purpose::augmentation);
  state.epoch_seconds = fields.quantity("epoch_seconds");
  state.history = std::move(history);
  if (json.contains("ended")) state.ended = ending(fields.text("ended"));
  const std::size_t finished =
      static_cast<std::size_t>(state.ended ? state.epoch : state.epoch - 1);
  DRAPE_CHECK(state.history.size() == finished, "expected a history of {} epochs, got {}", finished,
              state.history.size());
  state.stopping.best_epoch =
      fields.whole<int>("best_epoch", 0, static_cast<int>(state.history.size()));
  state.stopping.waited = fields.whole<int>("waited", 0, static_cast<int>(state.history.size()));
  if (state.stopping.best_epoch > 0) {
    state.stopping.best_value = fields.quantity("best_value");
  }
  state.images = fields.whole<std::int64_t>("trained_images", 0, kMost);
  state.training_seconds = fields.quantity("training_seconds");
  state.seconds = fields.quantity("seconds");
  return state;
}

}  // namespace

void save_training_state(const std::filesystem::path& path, const TrainingState& state) {
  Weights file{state.tensors,
               {{"kind", std::string(kKind)},
                {"run", json_object(state.identity)},
                {"state", json_of(state)}}};
  file.tensors.emplace_back(kHistory, table_of(state.history));
  save_weights(path, file);
}

TrainingState load_training_state(const std::filesystem::path& path) {
  Weights file = load_weights(path, Digest::required);
  try {
    return training_state_of(std::move(file));
  } catch (const Error& error) {
    throw Error(fmt::format("training state: {}: {}", path.string(), error.what()));
  }
}

TrainingState training_state_of(Weights&& file) {
  const auto text = [&](const char* name) -> const std::string& {
    const auto entry = file.metadata.find(name);
    DRAPE_CHECK(entry != file.metadata.end(), "expected a training state with a '{}', got none",
                name);
    return entry->second;
  };
  DRAPE_CHECK(text("kind") == kKind, "expected '{}', got '{}'", kKind, text("kind"));
  const Json state_json = Json::parse(text("state"), nullptr, /*allow_exceptions=*/false);
  const Json identity = Json::parse(text("run"), nullptr, /*allow_exceptions=*/false);
  const Tensor history = take(file.tensors, kHistory);
  TrainingState state = state_of(state_json, history_of(history));
  DRAPE_CHECK(identity.is_object(), "expected an object as 'run', got {}", identity.type_name());
  for (const auto& [key, value] : identity.items()) {
    DRAPE_CHECK(value.is_string(), "expected text as '{}' of the run, got {}", key,
                value.type_name());
    state.identity[key] = value.get<std::string>();
  }
  state.tensors = std::move(file.tensors);
  return state;
}

}  // namespace drape
