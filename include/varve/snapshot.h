// Snapshot: a handle on one state of the store.
#ifndef VARVE_SNAPSHOT_H_
#define VARVE_SNAPSHOT_H_

#include <cstdint>

namespace varve {

// Made by Db::GetSnapshot in constant time; costs the disk space of what is overwritten while it
// lives. What expires is gone from older snapshots too. Immutable, may be shared by threads. Must be destroyed before its Db.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // The number of changes the store had seen. Grows with every change; for comparing and logging.
  virtual uint64_t sequence() const = 0;

 protected:
  Snapshot() = default;
};

}  // namespace varve

#endif  // VARVE_SNAPSHOT_H_
