// Backups: copies of the store that clients ask for, in the one directory that the server was given for them.
#ifndef VARVE_SERVER_BACKUPS_H_
#define VARVE_SERVER_BACKUPS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "varve/db.h"

namespace varve::server {

// Thread-safe. One backup at a time, in a thread of its own; the destructor ends it.
class Backups {
 public:
  // `dir`: empty: none are made. Borrows the rest.
  Backups(Db* db, Env* env, std::string dir);
  ~Backups();
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;

  struct Request {
    std::string name;                // of a file that is not there yet
    std::string since;               // of an earlier backup, on which this builds; empty: a whole one
    uint64_t bytes_per_second = 0;   // 0: as fast as it goes
  };
  // Begins one in the directory. kNotSupported without a directory; kInvalidArgument when a name is none
  // (letters, digits, '-', '_' and '.', which it does not begin with; at most 200 bytes), or taken, or nothing
  // has that of the earlier one; kBusy while one runs.
  Status Start(const Request& request) VARVE_EXCLUDES(mu_);
  // False: none is running. What there is of it goes, soon.
  bool Abort() VARVE_EXCLUDES(mu_);

  struct State {
    bool is_running = false;
    std::string name;  // of the one that runs, or of the last one; empty: there was none
    uint64_t done_bytes = 0;
    uint64_t total_bytes = 0;
    std::string error;  // of the last one that ended; empty: it is whole
    uint64_t ended_millis = 0;  // 0: none has
  };
  State state() const VARVE_EXCLUDES(mu_);

 private:
  Status Check(const Request& request) const;
  void Run(const Request& request) VARVE_EXCLUDES(mu_);
  Status Make(const Request& request) VARVE_EXCLUDES(mu_);

  Db* const db_;
  Env* const env_;
  const std::string dir_;
  std::atomic<bool> must_end_{false};
  mutable Mutex mu_;
  State state_ VARVE_GUARDED_BY(mu_);
  std::unique_ptr<Thread> thread_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::server

#endif  // VARVE_SERVER_BACKUPS_H_
