// A world in memory for tests: it fails on request, and can be cloned as it would look after the
// end of the process or a loss of power.
//
// The model (docs/media_assumptions.md):
//  - A file has a current content, which every reader sees, and a durable one, which Sync brings
//    up to date. They are compared per sector of 512 bytes. What was stored through a MappedFile
//    belongs to the current content at once.
//  - A directory has current and durable names; SyncDir brings the durable ones up to date. Sync of
//    a file does not make its name durable, and SyncDir not the content of its files. The same
//    holds for a directory's own name: it is durable after SyncDir of its parent.
//  - CloneAfterProcessCrash keeps both states of everything: a power cut of the clone may still
//    lose what the dead process had not synced.
//  - CloneAfterPowerCut chooses from both, and what it chose is durable in the clone.
// Not modelled: states between two syncs that were overwritten before the second; sectors that
// decay by themselves (see CorruptByte).
//
// Equal calls from one thread give equal worlds, down to RandomSeed() and torn sectors. Paths start
// at the root "/", which exists; "." and empty names are skipped, ".." has no meaning.
#ifndef VARVE_ENV_CRASH_ENV_H_
#define VARVE_ENV_CRASH_ENV_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "env/crash_faults.h"
#include "env/crash_file.h"
#include "env/env.h"
#include "env/sim_clock.h"

namespace varve {

namespace crash {
class FileSystem;
}

// Thread-safe. Files, locks and threads from it must be gone before it is destroyed. A MappedFile
// costs memory for the pages touched, and a store that no Populate covers is a segmentation fault.
class CrashEnv final : public Env {
 public:
  explicit CrashEnv(uint64_t seed = 1, SimClock::Mode clock_mode = SimClock::Mode::kFollowReal);
  ~CrashEnv() override;

  // --- Clones: new worlds, independent of this one, without its open files, locks, faults and
  // hook. They may be taken at any time, also from the hook and while other threads make calls and
  // stores. A clone shows the world between two calls. Of stores running meanwhile into mapped
  // files it shows no store without those before it, as long as the stores go to rising addresses
  // and to files mapped in their order; a store may show in part. The clone's clock shows the same
  // time.
  std::unique_ptr<CrashEnv> CloneAfterProcessCrash();
  std::unique_ptr<CrashEnv> CloneAfterPowerCut(const PowerCut& cut);

  // --- Faults and counts. See crash_faults.h. The call is counted, then the hook runs, then it
  // fails or takes place. The hook may run in several threads at once; it may clone this
  // environment and use the functions below, but no function of Env on it.
  void FailCall(uint64_t nth, Fault fault, FaultSpan span = FaultSpan::kOnce,
                CallFilter filter = {}) {
    faults_.FailCall(nth, fault, span, std::move(filter));
  }
  void ClearFaults() { faults_.ClearFaults(); }
  void SetCallHook(FaultInjector::Hook hook) { faults_.SetHook(std::move(hook)); }
  uint64_t call_count() const { return faults_.call_count(); }
  uint64_t call_count(CallKind kind) const { return faults_.call_count(kind); }
  // Calls that failed on request: 0 when a test's n lies behind the last call.
  uint64_t fault_count() const { return faults_.fault_count(); }

  // --- The device. Writes, Allocate and Populate that need more space than is left fail with
  // "no space"; space returns with removed and cut files and with a higher limit. Accounted in
  // blocks of 4096 bytes. Without a limit there are 2^50 bytes.
  void SetFreeSpace(uint64_t bytes);
  // false: OpenMapped and Allocate are kNotSupported, as on a copy-on-write file system.
  void SetAllocationSupported(bool supported) { allocation_supported_ = supported; }

  // --- Direct access: neither counted nor failed, no hook.
  Result<std::string> ReadFileForTest(const std::string& path);
  // Makes the file hold `content`, durably, name and all; its directory must exist. The second form
  // changes a range, and extends the file where needed. REQUIRES for the first: not mapped.
  Status WriteFileForTest(const std::string& path, std::string_view content);
  Status WriteFileForTest(const std::string& path, uint64_t offset, std::string_view data);
  // Changes a byte in the current and in the durable content.
  Status CorruptByte(const std::string& path, uint64_t offset, uint8_t xor_mask);
  // Paths of all files, sorted.
  std::vector<std::string> FileNames();
  // Makes everything durable.
  void SyncAll();

  SimClock* sim_clock() { return &clock_; }

  // --- Env.
  Result<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> OpenWritable(const std::string& path,
                                                     OpenMode mode) override;
  Result<std::unique_ptr<MappedFile>> OpenMapped(const std::string& path,
                                                 uint64_t capacity) override;
  Status RemoveFile(const std::string& path) override;
  Status RenameFile(const std::string& from, const std::string& to) override;
  Status LinkFile(const std::string& from, const std::string& to) override;
  bool FileExists(const std::string& path) override;
  Result<uint64_t> FileSize(const std::string& path) override;
  Result<std::vector<std::string>> ListDir(const std::string& dir) override;
  Status CreateDir(const std::string& dir) override;
  Status RemoveDir(const std::string& dir) override;
  Status SyncDir(const std::string& dir) override;
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override;
  Result<uint64_t> FreeSpace(const std::string& path) override;
  Clock* clock() override { return &clock_; }
  std::unique_ptr<Thread> StartThread(const std::string& name, std::function<void()> body) override;
  uint64_t RandomSeed() override VARVE_EXCLUDES(seeds_mu_);
  void* AllocateHuge(size_t bytes) override;
  void FreeHuge(void* memory, size_t bytes) override;

 private:
  friend class CrashFile;  // the open files, in crash_handles.cc
  friend class CrashFileLock;

  CrashEnv(const SimClock& clock, const Random& seeds, bool allocation_supported,
           std::unique_ptr<crash::FileSystem> files);
  std::unique_ptr<CrashEnv> Wrap(std::unique_ptr<crash::FileSystem> files);
  // Enters the call; OK unless it shall fail. The error says `call.kind` and `call.path`.
  Status Enter(const CallInfo& call);

  FaultInjector faults_;
  SimClock clock_;
  std::atomic<bool> allocation_supported_{true};
  const std::unique_ptr<crash::FileSystem> files_;
  Mutex seeds_mu_;
  Random seeds_ VARVE_GUARDED_BY(seeds_mu_);
};

}  // namespace varve

#endif  // VARVE_ENV_CRASH_ENV_H_
