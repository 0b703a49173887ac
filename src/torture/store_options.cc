#include "torture/store_options.h"

#include "base/random.h"

namespace varve::torture {
namespace {

template <typename T, size_t n>
T OneOf(const T (&choices)[n], Random* random) {
  return choices[random->Uniform(n)];
}

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;

}  // namespace

std::string StoreConfig::ToString() const {
  const auto field = [](const char* name, uint64_t value) {
    return std::string(" ") + name + "=" + std::to_string(value);
  };
  return field("budget", options.memory_budget_bytes).substr(1) +
         field("compression", static_cast<uint64_t>(options.compression)) +
         field("space_target_percent",
               static_cast<uint64_t>(options.space_amplification_target * 100)) +
         field("expected_keys", options.expected_keys) +
         field("threads", static_cast<uint64_t>(options.background_threads)) +
         field("memtable", tuning.memtable_bytes) +
         field("immutables", tuning.max_immutable_memtables) +
         field("segment", tuning.segment_bytes) + field("tier_runs", tuning.tier_runs) +
         field("slowdown_runs", tuning.slowdown_runs) +
         field("separation", tuning.separation_threshold_bytes) +
         field("value_log_file", tuning.value_log_file_bytes) +
         field("log_window", tuning.log_window_bytes) + field("mapped", tuning.mapped_log) +
         field("cache", tuning.cache_bytes) + field("idle_ms", tuning.idle_millis);
}

StoreConfig RandomStoreConfig(uint64_t seed) {
  Random random(seed * 7919 + 1);
  StoreConfig config;
  Options& options = config.options;
  options.memory_budget_bytes = OneOf({4 * kMiB, 16 * kMiB, 64 * kMiB}, &random);
  options.compression = OneOf(
      {Compression::kNone, Compression::kLz4, Compression::kZstd, Compression::kAuto}, &random);
  options.space_amplification_target = OneOf({1.1, 1.5, 3.0}, &random);
  options.expected_keys = OneOf({uint64_t{0}, uint64_t{1000}}, &random);
  options.background_threads = static_cast<int>(1 + random.Uniform(3));
  Tuning& tuning = config.tuning;
  tuning = Tuning::FromOptions(options);
  tuning.memtable_bytes = OneOf({4 * kKiB, 16 * kKiB, 64 * kKiB}, &random);
  tuning.max_immutable_memtables = 1 + random.Uniform(3);
  tuning.segment_bytes = OneOf({8 * kKiB, 32 * kKiB, 256 * kKiB}, &random);
  tuning.tier_runs = 2 + random.Uniform(4);
  tuning.slowdown_runs = tuning.tier_runs + 4 + random.Uniform(12);
  tuning.separation_threshold_bytes = OneOf({4096, 8192, 1 << 30}, &random);
  tuning.value_log_file_bytes = OneOf({32 * kKiB, 256 * kKiB}, &random);
  tuning.log_window_bytes = OneOf({64 * kKiB, kMiB}, &random);
  tuning.mapped_log = random.OneIn(2);
  tuning.cache_bytes = OneOf({64 * kKiB, kMiB}, &random);
  tuning.idle_millis = OneOf({uint64_t{1}, uint64_t{50}}, &random);
  return config;
}

StoreConfig CalmStoreConfig(uint64_t seed) {
  StoreConfig config = RandomStoreConfig(seed);
  config.options.background_threads = 1;
  config.tuning.idle_millis = 1'000'000'000;
  // A throttled writer waits for time to pass.
  config.tuning.max_immutable_memtables = 1000;
  config.tuning.slowdown_runs = 1000;
  return config;
}

StoreConfig SmallStoreConfig() {
  StoreConfig config;
  config.options.memory_budget_bytes = 16 * kMiB;
  config.options.background_threads = 1;
  config.tuning = Tuning::FromOptions(config.options);
  config.tuning.memtable_bytes = 16 * kKiB;
  config.tuning.segment_bytes = 16 * kKiB;
  config.tuning.tier_runs = 3;
  config.tuning.separation_threshold_bytes = 4096;
  config.tuning.value_log_file_bytes = 64 * kKiB;
  config.tuning.log_window_bytes = 64 * kKiB;
  config.tuning.cache_bytes = 256 * kKiB;
  config.tuning.idle_millis = 10;
  return config;
}

StoreOpener OpenerFor(const StoreConfig& config) {
  return [config](const std::string& dir, Env* env) {
    Options options = config.options;
    options.env = env;
    return OpenTuned(dir, options, config.tuning);
  };
}

TurnsOpener TurnsOpenerFor(const StoreConfig& config) {
  return [config](Turns* turns) {
    StoreConfig with_turns = config;
    with_turns.tuning.turns = turns;
    return OpenerFor(with_turns);
  };
}

}  // namespace varve::torture
