// The file system of a CrashEnv: a tree in memory whose nodes know what was synced.
#ifndef VARVE_ENV_CRASH_FILE_SYSTEM_H_
#define VARVE_ENV_CRASH_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "env/crash_directory.h"
#include "env/env.h"

namespace varve::crash {

// The names on the way: "a", "b" of "/a//b/".
std::vector<std::string> SplitPath(const std::string& path);

// Does what it is told; faults are injected by the callers. Functions that take a node take one
// that Open or Map returned and Release has not yet got back; `path` is then only for messages. One
// mutex guards the whole tree, so that every call is one step. Thread-safe.
class FileSystem {
 public:
  static constexpr uint64_t kUnlimitedBytes = uint64_t{1} << 50;

  explicit FileSystem(uint64_t seed);

  // --- Open files.
  Result<NodePtr> OpenExisting(const std::string& path) VARVE_EXCLUDES(mu_);
  Result<NodePtr> Open(const std::string& path, Env::OpenMode mode) VARVE_EXCLUDES(mu_);
  // Opens or creates; gives the memory in `*region`, which lives until Unmap.
  Result<NodePtr> Map(const std::string& path, uint64_t capacity, Region** region)
      VARVE_EXCLUDES(mu_);
  Result<NodePtr> Lock(const std::string& path) VARVE_EXCLUDES(mu_);
  void Release(Node* node) VARVE_EXCLUDES(mu_);
  // Cuts the file to `final_size` unless that is MappedFile::kKeepSize.
  void Unmap(Node* node, uint64_t final_size) VARVE_EXCLUDES(mu_);
  void Unlock(Node* node) VARVE_EXCLUDES(mu_);

  size_t Read(Node* node, uint64_t offset, size_t size, char* buffer) VARVE_EXCLUDES(mu_);
  uint64_t Size(Node* node) VARVE_EXCLUDES(mu_);
  Status Write(Node* node, const std::string& path, uint64_t offset, std::string_view data)
      VARVE_EXCLUDES(mu_);
  // Writes a random part from the front of `data`.
  void WritePart(Node* node, const std::string& path, uint64_t offset, std::string_view data)
      VARVE_EXCLUDES(mu_);
  Status Allocate(Node* node, const std::string& path, uint64_t offset, uint64_t size)
      VARVE_EXCLUDES(mu_);
  Status Populate(Node* node, const std::string& path, uint64_t offset, uint64_t size)
      VARVE_EXCLUDES(mu_);
  void Truncate(Node* node, uint64_t size) VARVE_EXCLUDES(mu_);
  void Sync(Node* node) VARVE_EXCLUDES(mu_);
  void SyncPartly(Node* node) VARVE_EXCLUDES(mu_);

  // --- Names.
  bool Exists(const std::string& path) VARVE_EXCLUDES(mu_);
  Result<uint64_t> FileSize(const std::string& path) VARVE_EXCLUDES(mu_);
  Status Remove(const std::string& path) VARVE_EXCLUDES(mu_);
  Status Rename(const std::string& from, const std::string& to) VARVE_EXCLUDES(mu_);
  Status Link(const std::string& from, const std::string& to) VARVE_EXCLUDES(mu_);
  Result<std::vector<std::string>> List(const std::string& dir) VARVE_EXCLUDES(mu_);
  Status CreateDir(const std::string& dir) VARVE_EXCLUDES(mu_);
  Status RemoveDir(const std::string& dir) VARVE_EXCLUDES(mu_);
  Status SyncDir(const std::string& dir) VARVE_EXCLUDES(mu_);
  void SyncDirPartly(const std::string& dir) VARVE_EXCLUDES(mu_);

  // --- Space, in whole pages.
  uint64_t FreeSpace() VARVE_EXCLUDES(mu_);
  void SetFreeSpace(uint64_t bytes) VARVE_EXCLUDES(mu_);

  // --- For tests: as CrashEnv's functions of these names.
  Result<std::string> ReadAll(const std::string& path) VARVE_EXCLUDES(mu_);
  Status PlantWhole(const std::string& path, std::string_view content) VARVE_EXCLUDES(mu_);
  Status Plant(const std::string& path, uint64_t offset, std::string_view data) VARVE_EXCLUDES(mu_);
  Status CorruptByte(const std::string& path, uint64_t offset, uint8_t xor_mask)
      VARVE_EXCLUDES(mu_);
  std::vector<std::string> FileNames() VARVE_EXCLUDES(mu_);
  void SyncAll() VARVE_EXCLUDES(mu_);

  // --- Clones, as of one moment.
  std::unique_ptr<FileSystem> CloneAfterProcessCrash() VARVE_EXCLUDES(mu_);
  std::unique_ptr<FileSystem> CloneAfterPowerCut(const PowerCut& cut) VARVE_EXCLUDES(mu_);

 private:
  // Where a path leads: its directory and the last name in it.
  struct Place {
    Node* parent = nullptr;
    std::string name;
  };
  Result<Place> FindPlace(std::string_view operation, const std::string& path) VARVE_REQUIRES(mu_);
  Result<NodePtr> FindNode(std::string_view operation, const std::string& path) VARVE_REQUIRES(mu_);
  Result<NodePtr> FindFile(std::string_view operation, const std::string& path) VARVE_REQUIRES(mu_);
  Result<Node*> FindDir(std::string_view operation, const std::string& path) VARVE_REQUIRES(mu_);
  Result<NodePtr> FindOrCreateFile(std::string_view operation, const std::string& path)
      VARVE_REQUIRES(mu_);
  NodePtr CreateFileAt(const Place& place) VARVE_REQUIRES(mu_);
  Status CheckReplaces(const Node& from, const NodePtr& target, const std::string& to)
      VARVE_REQUIRES(mu_);

  // Makes every name on the way to an existing `path` durable.
  void PlantNames(const std::string& path) VARVE_REQUIRES(mu_);

  // Makes sure of blocks for a range, as far as there is space; returns how many of its bytes got
  // them.
  uint64_t AddBlocks(Node* node, uint64_t offset, uint64_t size) VARVE_REQUIRES(mu_);
  void CutTo(Node* node, uint64_t size) VARVE_REQUIRES(mu_);
  void FreeIfUnused(Node* node) VARVE_REQUIRES(mu_);
  void CaptureStores() VARVE_REQUIRES(mu_);
  uint64_t NextChange() VARVE_REQUIRES(mu_) { return ++last_change_; }

  // Becomes the copy of `original` that `copy_file` and `copy_directory` make node by node.
  class TreeCopier;
  std::unique_ptr<FileSystem> CloneWith(TreeCopier* copier) VARVE_REQUIRES(mu_);

  Mutex mu_;
  const NodePtr root_;
  std::vector<Node*> mapped_ VARVE_GUARDED_BY(mu_);  // in the order of mapping
  uint64_t last_change_ VARVE_GUARDED_BY(mu_) = 0;
  uint64_t capacity_bytes_ VARVE_GUARDED_BY(mu_) = kUnlimitedBytes;
  uint64_t used_bytes_ VARVE_GUARDED_BY(mu_) = 0;
  Random random_ VARVE_GUARDED_BY(mu_);  // for faults
};

}  // namespace varve::crash

#endif  // VARVE_ENV_CRASH_FILE_SYSTEM_H_
