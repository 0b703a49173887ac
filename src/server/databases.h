// Databases: the numbered databases of the protocol as namespaces of the store. 0 is the default
// namespace, n the one called "db<n>", made when somebody first selects it; until databases are swapped,
// which is kept in the store as well.
#ifndef VARVE_SERVER_DATABASES_H_
#define VARVE_SERVER_DATABASES_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "varve/db.h"

namespace varve::server {

// Holds what the server itself keeps in the store.
inline constexpr char kServerNamespace[] = "varve.server";

// Thread-safe. Whoever uses a database holds the lock of its loop meanwhile, which nobody else takes but
// Swap and AwaitOtherLoops: so no command sees the databases half swapped, and a loop never waits for another.
class Databases {
 public:
  // Borrows the store.
  Databases(Db* db, int count, int loop_count);

  // Reads what has been swapped. kCorruption when that makes no sense.
  Status Load();

  int count() const { return static_cast<int>(slots_.size()); }
  Db* db() { return db_; }
  Mutex* loop_lock(int loop) { return locks_[static_cast<size_t>(loop)].get(); }

  // The database, which is made if it has never been used. REQUIRES: 0 <= index < count().
  Result<Namespace*> Get(int index) VARVE_EXCLUDES(mu_);
  // nullptr: never used, and empty.
  Result<Namespace*> Find(int index) VARVE_EXCLUDES(mu_);
  // Waits until the commands that other loops are in the midst of have ended. REQUIRES: as Swap.
  void AwaitOtherLoops(int loop) VARVE_NO_THREAD_SAFETY_ANALYSIS;
  // Exchanges two, in constant time, and keeps that in the store. REQUIRES: the caller holds the lock of
  // `loop`, which is given up for a while.
  Status Swap(int loop, int a, int b) VARVE_NO_THREAD_SAFETY_ANALYSIS;
  // Which database the namespace of this name is now; std::nullopt: none. Takes the lock of the first loop for
  // a moment: not for use in a command.
  std::optional<int> IndexOf(std::string_view space_name) VARVE_EXCLUDES(mu_);
  // Where the server writes for itself.
  Result<Namespace*> ServerSpace() VARVE_EXCLUDES(mu_);

 private:
  Result<Namespace*> Open(size_t slot, bool creates) VARVE_EXCLUDES(mu_);
  static std::string NameOf(size_t slot) { return "db" + std::to_string(slot); }

  Db* const db_;
  std::vector<std::unique_ptr<Mutex>> locks_;
  // Database -> slot. Changed with all locks held, read with one.
  std::vector<size_t> slots_;
  // Slot -> namespace; set once.
  std::vector<std::atomic<Namespace*>> spaces_;
  Mutex mu_;
  std::vector<std::shared_ptr<Namespace>> handles_ VARVE_GUARDED_BY(mu_);
  Namespace* server_space_ VARVE_GUARDED_BY(mu_) = nullptr;
};

}  // namespace varve::server

#endif  // VARVE_SERVER_DATABASES_H_
