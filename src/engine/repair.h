// Repairer: Db::Repair, step by step.
//
//   1. which files make up the store                          repair_inventory.h
//   2. the logs, into one memtable and a list of range deletes: as recovery would, and where recovery
//      refuses, as far as they can be read                     log_salvage.h
//   3. all layers as one stream; of each key the newest version decides
//                                                              repair_merge.h, segment_salvage.h
//   4. what is alive, with its value, into the new store       repair_writer.h
//
// Damage is noted where it is met, in stored keys, and put into words at the end, when the names of the
// namespaces are known.
#ifndef VARVE_ENGINE_REPAIR_H_
#define VARVE_ENGINE_REPAIR_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/damage.h"
#include "engine/log_salvage.h"
#include "engine/range_tombstones.h"
#include "engine/recovery.h"
#include "engine/repair_inventory.h"
#include "engine/repair_merge.h"
#include "engine/repair_writer.h"
#include "varve/db.h"

namespace varve {

// Thread-compatible. For one Run.
class Repairer {
 public:
  Repairer(Env* env, std::string dir, const RepairOptions& options);
  ~Repairer();

  Result<RepairReport> Run();

 private:
  struct Loss {
    Damage damage;
    uint64_t changes = 0;
  };
  using ValueFile = std::unique_ptr<RandomAccessFile>;

  Status LockDirectory();
  Compression MostUsedCompression() const;

  // --- Logs.
  Status ReadLogs();
  Status ReplayLogs();
  Status SalvageLogs(const Status& why);
  void Apply(SequenceNumber sequence, const WalOp& op);
  void ResetLogs();
  void LoseEverything(std::string file, uint64_t offset, std::string what, uint64_t changes);

  // --- Keys.
  Status WriteKeys();
  // Copies the newest version of the key at which the merge stands, if it is alive, and passes over the key.
  Status WriteKey();
  // False: the value it points to cannot be read, and the loss is noted.
  Result<bool> WriteVersion(const Entry& entry);
  Result<std::string_view> ReadValue(const Entry& entry, std::string* file, uint64_t* offset);
  Result<const RandomAccessFile*> OpenValueFile(uint64_t number, const std::string& path);
  void LoseValue(const Entry& entry, std::string file, uint64_t offset, std::string what);

  // --- Namespaces.
  void NoteNamespace(const Entry& entry, std::string_view value);
  // Names those that hold keys and have lost theirs, and sees to it that their numbers are not given out.
  Status CompleteNamespaces();

  void ReportProgress();
  void FillReport();

  Env* const env_;
  const std::string dir_;
  const RepairOptions options_;
  RepairReport report_;
  RepairInventory inventory_;
  std::unique_ptr<FileLock> lock_;

  ChunkPool pool_;
  MemTable* memtable_ = nullptr;  // one reference
  std::vector<RangeTombstone> log_tombstones_;
  RangeTombstones tombstones_;
  SequenceNumber last_sequence_ = 0;
  SequenceNumber last_applied_ = 0;

  std::unique_ptr<RepairMerge> merge_;
  std::unique_ptr<RepairWriter> writer_;
  std::map<uint64_t, ValueFile> value_files_;
  std::string key_;
  std::string value_;
  bool last_key_is_lost_ = false;  // its value; the loss is the last of losses_

  NamespaceNames names_;             // of ids that hold keys or have a name; "": not known
  std::set<std::string> used_names_;
  std::optional<uint32_t> next_namespace_id_;
  bool namespaces_are_known_ = true;  // a newer version's table is left alone
  std::vector<Loss> losses_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_REPAIR_H_
