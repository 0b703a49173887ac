#include "server/expiry_options.h"

#include <limits>

namespace varve::server {

namespace {

constexpr int64_t kMaxTime = std::numeric_limits<int64_t>::max();

// An option with a time: the same one again replaces it, another one contradicts it.
bool TakeTime(Call& call, size_t* i, SetOptions* options) {
  struct Kind {
    std::string_view name;
    TimeUnit unit;
    bool is_absolute;
  };
  static constexpr Kind kKinds[] = {{"ex", TimeUnit::kSeconds, false},
                                    {"px", TimeUnit::kMillis, false},
                                    {"exat", TimeUnit::kSeconds, true},
                                    {"pxat", TimeUnit::kMillis, true}};
  for (const Kind& kind : kKinds) {
    if (!call.Is(*i, kind.name)) continue;
    const auto& earlier = options->expiry;
    if (*i + 1 >= call.count() || options->keeps_ttl || options->persists) return false;
    if (earlier && (earlier->unit != kind.unit || earlier->is_absolute != kind.is_absolute)) {
      return false;
    }
    options->expiry = SetOptions::Expiry{++*i, kind.unit, kind.is_absolute};
    return true;
  }
  return false;
}

}  // namespace

bool ParseSetOptions(Call& call, size_t first, bool is_set, SetOptions* options) {
  for (size_t i = first; i < call.count(); ++i) {
    bool is_good = false;
    if (is_set && call.Is(i, "nx")) {
      is_good = !options->if_present;
      options->if_absent = true;
    } else if (is_set && call.Is(i, "xx")) {
      is_good = !options->if_absent;
      options->if_present = true;
    } else if (is_set && call.Is(i, "get")) {
      is_good = options->gets = true;
    } else if (is_set && call.Is(i, "keepttl")) {
      is_good = !options->expiry;
      options->keeps_ttl = true;
    } else if (!is_set && call.Is(i, "persist")) {
      is_good = !options->expiry;
      options->persists = true;
    } else {
      is_good = TakeTime(call, &i, options);
    }
    if (is_good) continue;
    static_cast<void>(call.SyntaxError());
    return false;
  }
  return true;
}

bool TakeExpiry(Call& call, size_t i, TimeUnit unit, bool is_absolute, uint64_t* expire_at) {
  int64_t time = 0;
  if (!call.TakeInteger(i, &time)) return false;
  const int64_t base = is_absolute ? 0 : static_cast<int64_t>(call.now);
  bool fits = time > 0 && !(unit == TimeUnit::kSeconds && time > kMaxTime / 1000);
  if (fits && unit == TimeUnit::kSeconds) time *= 1000;
  fits = fits && time <= kMaxTime - base;
  if (fits) {
    *expire_at = static_cast<uint64_t>(time + base);
    return true;
  }
  static_cast<void>(call.ExpireTimeError());
  return false;
}

}  // namespace varve::server
