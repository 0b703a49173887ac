// CrashStore: a store on a disk in memory, whose process and whose power can end.
#ifndef VARVE_TORTURE_CRASH_STORE_H_
#define VARVE_TORTURE_CRASH_STORE_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "env/crash_env.h"
#include "torture/call_digest.h"
#include "torture/store_options.h"
#include "torture/turn_taking.h"
#include "varve/db.h"

namespace varve::torture {

// The seed gives its options, and the order in which its threads take turns; so the same calls give the same digest.
// Thread-compatible.
class CrashStore {
 public:
  explicit CrashStore(uint64_t seed)
      : opener_(TurnsOpenerFor(RandomStoreConfig(seed))),
        seed_(seed),
        env_(std::make_unique<CrashEnv>(seed, SimClock::Mode::kManual)) {
    Watch();
  }
  CrashStore(const CrashStore&) = delete;  // what it watches with points here
  CrashStore& operator=(const CrashStore&) = delete;

  // Before it is used first, and after Close and MoveTo.
  Status Open() {
    turns_ = std::make_unique<TurnTaking>(seed_);
    VARVE_ASSIGN_OR_RETURN(db_, opener_(turns_.get())(kStoreDir, env_.get()));
    return Status::Ok();
  }
  void Close() { db_.reset(); }
  // Goes on with what is left of the disk (CrashEnv::CloneAfterProcessCrash, CloneAfterPowerCut). Closes the store.
  void MoveTo(std::unique_ptr<CrashEnv> left) {
    Close();
    env_ = std::move(left);
    Watch();
  }

  Db* db() const { return db_.get(); }
  CrashEnv* env() const { return env_.get(); }
  TurnTaking* turns() const { return turns_.get(); }
  uint64_t digest() const { return digest_.value(); }  // of all calls of the file system so far

 private:
  void Watch() {
    env_->SetCallHook([this](const CallInfo& call) { digest_.Add(call); });
  }

  const TurnsOpener opener_;
  const uint64_t seed_;
  CallDigest digest_;
  std::unique_ptr<CrashEnv> env_;
  std::unique_ptr<TurnTaking> turns_;
  std::unique_ptr<Db> db_;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_CRASH_STORE_H_
