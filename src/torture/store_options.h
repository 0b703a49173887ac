// The stores that tests open: a random set of options from a seed, or the small canonical one. The
// one place that knows the engine's tuning.
#ifndef VARVE_TORTURE_STORE_OPTIONS_H_
#define VARVE_TORTURE_STORE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/tuning.h"
#include "varve/db.h"

namespace varve::torture {

// Where they are, in an environment that has nothing else.
inline constexpr char kStoreDir[] = "/store";

struct StoreConfig {
  Options options;
  Tuning tuning;

  // "memtable=8192 segment=... compression=lz4 ...": enough to repeat a failure by hand.
  std::string ToString() const;
};

// Opens the store in `dir` of an environment. Harnesses take one, so that they also run on FakeDb.
using StoreOpener = std::function<Result<std::unique_ptr<Db>>(const std::string& dir, Env* env)>;

// Memtables, segments and log windows so small that a few hundred writes flush, rotate and compact;
// every compression, both kinds of log, one to three background threads. The same seed gives the
// same.
StoreConfig RandomStoreConfig(uint64_t seed);

// The same, with one background thread that does nothing by itself: for a simulated clock that stands still.
StoreConfig CalmStoreConfig(uint64_t seed);

// 16 KiB memtables and segments, values from 4096 bytes on in the value log, one background thread.
StoreConfig SmallStoreConfig();

StoreOpener OpenerFor(const StoreConfig& config);

// Openers of stores whose threads take turns (engine/turns.h), or null: do not. Turns are of one store at a time.
using TurnsOpener = std::function<StoreOpener(Turns* turns)>;
TurnsOpener TurnsOpenerFor(const StoreConfig& config);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_STORE_OPTIONS_H_
