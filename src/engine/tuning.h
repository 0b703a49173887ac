// Tuning: the numbers behind Options that the store derives by itself, open to tests so that rare code
// runs often (tiny memtables, tiny segments, either kind of log).
#ifndef VARVE_ENGINE_TUNING_H_
#define VARVE_ENGINE_TUNING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "varve/db.h"
#include "varve/options.h"

namespace varve {

class Turns;

// Who reads from the disk for asynchronous operations.
enum class AsyncReads : uint8_t {
  kAuto,     // the environment's own way (io_uring), else threads
  kThreads,  // threads, whatever the environment has
};

struct Tuning {
  uint64_t memtable_bytes = uint64_t{64} << 20;  // rotation size
  size_t max_immutable_memtables = 3;            // waiting for flush; more hold writers back
  uint64_t segment_bytes = uint64_t{64} << 20;   // output files are cut near this size
  size_t tier_runs = 8;                          // runs of similar size that are merged together
  size_t slowdown_runs = 20;                     // writers are slowed from here on
  // Values from here on live in the value log. docs/design/0004-value-separation.md. At least 4096,
  // so that no two values start in the same 4 KiB of a value-log file (the cache relies on it).
  size_t separation_threshold_bytes = 4096;
  uint64_t value_log_file_bytes = uint64_t{256} << 20;
  uint64_t log_window_bytes = uint64_t{1} << 20;  // the log is allocated ahead in such steps
  bool mapped_log = true;  // stores into a mapped log tail; false: pwrite. kSync stores always pwrite
  uint64_t cache_bytes = uint64_t{512} << 20;
  uint64_t max_transaction_bytes = uint64_t{1} << 30;  // keys and values; must fit a record of the log
  // Expiring changes that may wait for the thread that tells a listener, at 8 bytes; and bytes of keys that
  // it reads ahead.
  size_t max_expiry_notes = size_t{1} << 18;
  size_t max_expiry_keys_bytes = size_t{64} << 20;
  uint64_t idle_millis = 500;  // without writes for so long: compaction tidies up
  bool times_all_operations = false;  // not only a sample (operation_times.h)

  AsyncReads async_reads = AsyncReads::kAuto;
  size_t async_threads = 16;  // at most; for reads that the environment has no other way for

  // Unless null: threads run one at a time (turns.h). Must outlive the store.
  Turns* turns = nullptr;

  // What the options imply.
  static Tuning FromOptions(const Options& options);
};

// Db::Open with every number given.
Result<std::unique_ptr<Db>> OpenTuned(const std::string& dir, const Options& options,
                                      const Tuning& tuning);

}  // namespace varve

#endif  // VARVE_ENGINE_TUNING_H_
