// StoreBuilder: a new store out of files that are brought there, in a directory that was missing or empty. It
// is there whole or not at all: whatever happens before Commit has returned OK leaves a directory that does
// not open, and in which a builder can begin again.
//
//   UNFINISHED, durable before anything else is made
//   the files, each synced
//   the manifest; the content of CURRENT, under another name; all names synced
//   UNFINISHED replaced by that content, and renamed to CURRENT
#ifndef VARVE_ENGINE_STORE_BUILDER_H_
#define VARVE_ENGINE_STORE_BUILDER_H_

#include <memory>
#include <string>
#include <vector>

#include "env/env.h"
#include "format/version_edit.h"

namespace varve {

// What marks a directory that a builder has not finished.
inline constexpr char kUnfinishedFileName[] = "UNFINISHED";

// The directory that `path` is in.
std::string ParentOf(std::string path);

// Thread-compatible. The destructor takes away what was made, unless Commit had come to its last step.
class StoreBuilder {
 public:
  StoreBuilder(Env* env, std::string dir) : env_(env), dir_(std::move(dir)) {}
  ~StoreBuilder();
  StoreBuilder(const StoreBuilder&) = delete;
  StoreBuilder& operator=(const StoreBuilder&) = delete;

  // kInvalidArgument when `dir` holds anything but what an interrupted builder left; kBusy when another one is
  // at work there.
  Status Begin();
  const std::string& dir() const { return dir_; }
  // Makes the store of one version: `edit` describes it as a manifest's first record does, but for the number
  // of the manifest, which is edit.next_file_number. REQUIRES: its files are in `dir`, with durable contents.
  // When the very last sync fails, the store is there and may not survive loss of power.
  Status Commit(VersionEdit edit);

 private:
  Status CheckMayBegin(const std::vector<std::string>& names) const;
  Status RemoveRemains();
  Status WriteFile(const std::string& name, std::string_view content);

  Env* const env_;
  const std::string dir_;
  std::unique_ptr<FileLock> lock_;
  bool made_dir_ = false;
  bool has_begun_ = false;  // what is in the directory is ours
  bool is_done_ = false;
};

}  // namespace varve

#endif  // VARVE_ENGINE_STORE_BUILDER_H_
