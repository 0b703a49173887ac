// The options of a store and of single operations. There are twelve, and the defaults are meant to be
// right: everything that can be measured at run time tunes itself.
#ifndef VARVE_OPTIONS_H_
#define VARVE_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

class Env;
class Snapshot;

// When a write may be acknowledged.
enum class Durability : uint8_t {
  kProcess = 0,  // survives the end of the process, kill -9 included; the default
  kSync = 1,     // survives loss of power, if the device honours a flush
  kNone = 2,     // may be lost when the process dies; survives an orderly close
};

// How segment blocks are stored. Chosen per store; a store may be reopened with another choice, and
// every segment written from then on uses it.
enum class Compression : uint8_t {
  kNone = 0,  // blocks are read in place; fastest (default)
  kLz4 = 1,   // every run
  kZstd = 2,  // every run; smallest
  kAuto = 3,  // young runs plain, middle runs lz4, the last and largest run zstd
};

struct Options {
  // Everything the store keeps in memory: memtables, block cache, filters, indexes, iterators.
  // Bytes, at least 1 MiB. The default suits a program that is not alone on its machine. What finds a key
  // is cached like data; what finds a block (about 1 % of the data) and iterators stay in memory and take
  // from the cache, up to half of it. So a store of up to some thirty times the budget keeps within
  // it. Beside it: what merges read and write (some MiB), blocks that iterators and pinned values hold.
  uint64_t memory_budget_bytes = uint64_t{1} << 30;

  // The default for writes that do not say otherwise.
  Durability durability = Durability::kProcess;

  Compression compression = Compression::kNone;

  // Compaction keeps size on disk below this multiple of the live data once writes pause.
  // 1.1 to 10. Smaller costs more rewriting.
  double space_amplification_target = 1.5;

  // How many keys the store will hold, if known. Reserves when the store is opened, at 128 bytes a key:
  // blocks of the first log file (at most 4 memtables' worth) and memory for memtables (at most two, from the
  // budget). Tables need nothing ahead: they are written whole. A disk without the space is no error. Opening
  // takes longer by that much (0.2 to 0.7 s for a million keys); no effect on the latency of a fill was
  // measured up to the 99.9th percentile. 0: unknown, nothing is reserved.
  uint64_t expected_keys = 0;

  // Threads for flush and compaction. 1 to 64. One thread flushes and one merges, whatever is asked for:
  // the number is accepted so that programs need not change, and has no effect.
  int background_threads = 2;

  // Longer keys and values are refused with kInvalidArgument. At most 65,535 and 512 MiB.
  uint32_t max_key_bytes = 65535;
  uint32_t max_value_bytes = uint32_t{512} << 20;

  // A missing directory is created; with `error_if_exists` an existing store is an error.
  bool create_if_missing = true;
  bool error_if_exists = false;

  // Opens without changing what is stored: the log is replayed into memory only. One process at a time
  // all the same.
  bool read_only = false;

  // Files, clock, threads and randomness. nullptr: the operating system's. Borrowed: must outlive
  // the store.
  Env* env = nullptr;
};

struct WriteOptions {
  // Unset: the store's.
  std::optional<Durability> durability;

  // What is put is gone after this time, or from this moment on; with both, whichever comes first. Unset:
  // it stays. Not positive, or past already: the key is deleted instead. Precision: a millisecond. A
  // batch: for its puts that say nothing themselves. docs/ttl.md.
  std::optional<std::chrono::milliseconds> ttl = std::nullopt;
  std::optional<std::chrono::system_clock::time_point> expire_at = std::nullopt;
};

struct ReadOptions {
  // Reads as of this snapshot. nullptr: the newest state. Borrowed for the call.
  const Snapshot* snapshot = nullptr;
};

// What an iterator covers. Views are copied by NewIterator.
struct IteratorOptions {
  // Only keys that start with this. Combines with the bounds.
  std::string_view prefix = {};
  // Only keys >= lower_bound, and < upper_bound. Unset: no bound.
  std::optional<std::string_view> lower_bound = std::nullopt;
  std::optional<std::string_view> upper_bound = std::nullopt;
  const Snapshot* snapshot = nullptr;
};

}  // namespace varve

#endif  // VARVE_OPTIONS_H_
