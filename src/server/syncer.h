// Syncer: flushes the store in a thread of its own, so that the loops go on meanwhile.
#ifndef VARVE_SERVER_SYNCER_H_
#define VARVE_SERVER_SYNCER_H_

#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "varve/db.h"

namespace varve::server {

// Thread-safe. The thread begins with the first request.
class Syncer {
 public:
  // Borrows both.
  Syncer(Db* db, Env* env) : db_(db), env_(env) {}
  // What has been asked for is done first.
  ~Syncer();
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  // Calls `done` once, most often in another thread and later, when all that was written before survives loss of power; with false if that
  // cannot be had.
  using Done = std::function<void(bool)>;
  void Request(Done done) VARVE_EXCLUDES(mu_);

 private:
  void Run() VARVE_EXCLUDES(mu_);

  Db* const db_;
  Env* const env_;
  Mutex mu_;
  CondVar changed_;
  bool is_stopping_ VARVE_GUARDED_BY(mu_) = false;
  std::vector<Done> waiting_ VARVE_GUARDED_BY(mu_);
  std::unique_ptr<Thread> thread_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::server

#endif  // VARVE_SERVER_SYNCER_H_
