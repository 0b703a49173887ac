// VersionSet: the current version and the manifest that makes changes to it survive.
#ifndef VARVE_ENGINE_VERSION_SET_H_
#define VARVE_ENGINE_VERSION_SET_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "engine/version.h"

namespace varve {

// Thread-safe. Create or Recover once before anything else.
class VersionSet {
 public:
  VersionSet(ReaderContext* context, ValueLogSet* values) : context_(context), values_(values) {}

  // Begins an empty store in the directory. Sets context->hash_salt.
  Status Create(uint64_t hash_salt);
  // Reads CURRENT and the manifest it names. With `writable`, begins a new manifest, so that the old one
  // is never appended to after a crash. On a full disk the old one stays in force, unchanged, and every
  // Apply begins with another attempt.
  Status Recover(bool writable);

  std::shared_ptr<const Version> current() VARVE_EXCLUDES(mu_);
  uint64_t NextFileNumber() { return next_file_number_.fetch_add(1, std::memory_order_relaxed); }
  // Numbers up to `number` are taken.
  void MarkFileNumberUsed(uint64_t number);
  uint64_t next_file_number() const { return next_file_number_.load(std::memory_order_relaxed); }
  // Who gave out the numbers of files; ids that a crash could make forgotten are 0.
  std::vector<FileOrigin> Origins() VARVE_EXCLUDES(apply_mu_);
  // Calls `use` with the current version while no edit is on its way.
  void WithCurrent(const std::function<void(const std::shared_ptr<const Version>&)>& use)
      VARVE_EXCLUDES(apply_mu_, mu_);
  uint64_t oldest_log_number() const { return oldest_log_number_; }
  // No change that has gone into a version is newer. Of a store that is being opened.
  SequenceNumber recovered_sequence() const { return last_sequence_; }
  const DurableLog& durable_log() const { return durable_log_; }
  // Value-log files that the manifest names.
  const std::map<uint64_t, uint64_t>& recovered_value_logs() const { return recovered_value_logs_; }

  // Writes `edit` to the manifest and makes it the current version, in that order: when it returns OK
  // the change survives loss of power. `prepare` may complete the edit against the version it will apply
  // to; edits apply one at a time. Segments among edit.added_segments that are in the version already
  // (moved ones) keep their readers. `install` is called with the new version before anybody else can
  // apply another edit.
  Status Apply(VersionEdit edit, SequenceNumber last_sequence,
               const std::function<void(const Version&, VersionEdit*)>& prepare,
               const std::function<void(const std::shared_ptr<const Version>&)>& install)
      VARVE_EXCLUDES(mu_, apply_mu_);

  uint64_t manifest_number() const { return manifest_number_; }
  // Forgets the current version, so that its readers go before what they depend on.
  void Release() VARVE_EXCLUDES(mu_);

  // True after a failed sync of the manifest: what is on disk is unknown, no edit can follow.
  bool is_broken() const { return is_broken_.load(std::memory_order_relaxed); }
  // Reads the manifest file again and checks it. Reports a torn tail, also one that was found when the
  // store was opened: harmless after a loss of power, and otherwise a sign of damage.
  Status CheckManifest(uint64_t* bytes);

 private:
  static constexpr uint64_t kMinManifestBytes = uint64_t{1} << 20;

  Result<std::string> ReadWhole(const std::string& path);
  Status ReadManifest(uint64_t number);
  Status NewManifest(const Version& version) VARVE_REQUIRES(apply_mu_);
  // Forgets the origins that gave out none of `numbers`, and adds this opening's.
  void BeginOrigin(const std::vector<uint64_t>& numbers);
  Status PointCurrentTo(uint64_t number) VARVE_REQUIRES(apply_mu_);
  // `base` is the version that the manifest describes so far.
  Status AppendRecord(const Version& base, const VersionEdit& edit) VARVE_REQUIRES(apply_mu_);
  std::vector<std::shared_ptr<SegmentReader>> ReadersFor(const Version& base, const VersionEdit& edit);
  // Removes the files of segments that did not make it into a version.
  static void DropFresh(const Version& base,
                        const std::vector<std::shared_ptr<SegmentReader>>& readers);
  std::map<uint64_t, std::shared_ptr<ValueLogFile>> ValueLogMap();

  ReaderContext* const context_;
  ValueLogSet* const values_;
  std::atomic<uint64_t> next_file_number_{1};
  std::atomic<bool> is_broken_{false};
  uint64_t oldest_log_number_ = 0;
  SequenceNumber last_sequence_ = 0;  // the largest that the manifest has named; never goes back
  Status recovered_problem_;  // a tail of the recovered manifest that was ignored
  DurableLog durable_log_;    // the last one the manifest heard of
  std::map<uint64_t, uint64_t> recovered_value_logs_;
  std::vector<FileOrigin> origins_;  // ascending; constant after Create or Recover
  bool has_own_origin_ = false;      // the last one is this opening's; constant likewise

  Mutex apply_mu_;  // held across manifest I/O; before mu_
  std::unique_ptr<WritableFile> manifest_ VARVE_GUARDED_BY(apply_mu_);  // null until one was begun
  uint64_t manifest_number_ = 0;
  uint64_t manifest_bytes_ VARVE_GUARDED_BY(apply_mu_) = 0;
  uint64_t manifest_first_bytes_ VARVE_GUARDED_BY(apply_mu_) = 0;

  Mutex mu_;
  std::shared_ptr<const Version> current_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve

#endif  // VARVE_ENGINE_VERSION_SET_H_
