// SuperVersion: all that a read needs, behind one pointer: the memtables, the version, the range deletes.
#ifndef VARVE_ENGINE_SUPER_VERSION_H_
#define VARVE_ENGINE_SUPER_VERSION_H_

#include <atomic>
#include <memory>
#include <vector>

#include "engine/log_file.h"
#include "engine/memtable.h"
#include "engine/range_tombstones.h"
#include "engine/version.h"

namespace varve {

// A memtable with what belongs to it until it is flushed. The owner of the commit lock writes; what
// others may read is named.
struct MemTableSlot {
  MemTableSlot(MemTable* table, uint64_t number) : memtable(table), log_number(number) {}
  ~MemTableSlot() { memtable->Unref(); }
  MemTableSlot(const MemTableSlot&) = delete;
  MemTableSlot& operator=(const MemTableSlot&) = delete;

  MemTable* const memtable;   // readable by all
  const uint64_t log_number;  // its changes are in this log and no other
  SequenceNumber first_sequence = 0;  // no change in it is older; 0: unknown. Constant once it is shared
  std::shared_ptr<LogFile> log;                // null for a memtable recovered from a closed log
  uint64_t recovered_end = 0;  // of such a log: where its records end. Constant once it is shared
  std::vector<RangeTombstone> range_tombstones;  // under DbImpl::mu_
  RangeTombstoneSet tombstones;                  // the same for readers; under DbImpl::mu_
  std::atomic<uint64_t> range_tombstone_bytes{0};  // memory for both; written under the commit lock
  uint64_t separated_bytes = 0;                  // under the commit lock: values that entries point to
  // The value-log files that entries point into; written under commit lock and DbImpl::mu_.
  std::vector<std::shared_ptr<ValueLogFile>> value_logs;
};

// Immutable but for the reference count. Found through an atomic pointer under an EpochGuard; referenced
// to be kept longer.
struct SuperVersion {
  std::shared_ptr<MemTableSlot> active;
  std::vector<std::shared_ptr<MemTableSlot>> immutables;  // newest first
  std::shared_ptr<const Version> version;
  RangeTombstoneSet tombstones;  // of all layers

  void Ref() { references.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    // Release/acquire: all uses happen before the deletion.
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  std::atomic<uint32_t> references{1};
};

}  // namespace varve

#endif  // VARVE_ENGINE_SUPER_VERSION_H_
