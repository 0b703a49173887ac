// RepairWriter: makes a store in a new directory from records that arrive in order of keys. Nothing takes it
// for a store before Finish, which names the manifest last.
#ifndef VARVE_ENGINE_REPAIR_WRITER_H_
#define VARVE_ENGINE_REPAIR_WRITER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/block_cache.h"
#include "engine/chunk_pool.h"
#include "engine/directory_sync.h"
#include "engine/segment_output.h"
#include "engine/value_log_set.h"
#include "env/env.h"
#include "format/version_edit.h"

namespace varve {

// Thread-compatible.
class RepairWriter {
 public:
  RepairWriter(Env* env, std::string dir, uint64_t hash_salt, Compression compression);
  // Without a Finish that was OK: removes what was written, as far as the disk lets it.
  ~RepairWriter();
  RepairWriter(const RepairWriter&) = delete;
  RepairWriter& operator=(const RepairWriter&) = delete;

  // Makes the directory. kInvalidArgument when it is in use.
  Status Begin();
  // Appends an entry. `large`: the value that `entry` points to in the old store, null: it points nowhere.
  Status Add(const Entry& entry, const std::string_view* large);
  // Begins a younger run, for entries that hide those before. Keys may begin anew.
  Status NextRun();
  // Makes all of it durable and a store. `last_sequence`: no entry has a greater one.
  Status Finish(SequenceNumber last_sequence);

 private:
  static constexpr uint64_t kSegmentBytes = uint64_t{64} << 20;
  static constexpr uint64_t kValueFileBytes = uint64_t{256} << 20;

  void BeginRun();
  Status WriteManifest(SequenceNumber last_sequence);
  void RemoveAll();

  Env* const env_;
  const std::string dir_;
  const uint64_t hash_salt_;
  const Compression compression_;
  DirectorySync directory_;
  ChunkPool pool_;
  BlockCache cache_;
  ReaderContext context_;
  uint64_t next_file_number_ = 1;
  ValueLogSet values_;
  uint64_t run_id_ = 0;
  std::unique_ptr<SegmentOutput> output_;
  std::vector<SegmentMeta> segments_;
  std::string stored_;  // the stored value with its new pointer
  bool has_begun_ = false;
  bool is_finished_ = false;
};

}  // namespace varve

#endif  // VARVE_ENGINE_REPAIR_WRITER_H_
