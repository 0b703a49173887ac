// The part of the simulated file system that serves tests directly: clones and planted content.
#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "base/status_macros.h"
#include "env/crash_file_system.h"
#include "env/posix_error.h"

namespace varve::crash {
namespace {

// Calls visit(path, node) for every file below `directory` by its current names, in order.
template <typename Visit>
void ForEachFile(const std::string& prefix, Node* directory, const Visit& visit) {
  for (const auto& [name, node] : directory->directory.entries()) {
    const std::string path = prefix + "/" + name;
    if (node->is_directory()) {
      ForEachFile(path, node.get(), visit);
    } else {
      visit(path, node.get());
    }
  }
}

void SyncTree(Node* node) {
  if (!node->is_directory()) {
    node->file.Sync();
    return;
  }
  node->directory.Sync();
  for (const auto& [name, child] : node->directory.entries()) SyncTree(child.get());
}

}  // namespace

// Copies a tree node by node. A node that has several names, or a current and a durable one, is
// copied once. Names are visited in their order: equal originals give equal copies.
class FileSystem::TreeCopier {
 public:
  explicit TreeCopier(const PowerCut* cut) : cut_(cut), random_(cut == nullptr ? 0 : cut->seed) {}

  void CopyRoot(const Node& from, Node* to) { CopyInto(from, to); }

  // What the current names in the copy use, after each file was told how many names it has.
  uint64_t CountUsedBytes(Node* root) {
    uint64_t bytes = 0;
    ForEachFile("", root, [&](const std::string&, Node* node) {
      if (node->names++ == 0) bytes += node->file.block_count() * kPageBytes;
    });
    for (const auto& [from, to] : copies_) {
      if (to->names == 0) (void)to->file.RemoveBlocksFrom(0);
    }
    return bytes;
  }

 private:
  void CopyInto(const Node& from, Node* to) {
    const auto copy = [this](const NodePtr& node) { return Copy(node); };
    if (cut_ == nullptr) {
      to->file.CopyAfterProcessCrash(from.file);
      to->directory.CopyAfterProcessCrash(from.directory, copy);
    } else {
      to->file.CopyAfterPowerCut(from.file, *cut_, &random_);
      to->directory.CopyAfterPowerCut(from.directory, *cut_, copy);
    }
  }

  NodePtr Copy(const NodePtr& from) {
    NodePtr& to = copies_[from.get()];
    if (to != nullptr) return to;
    to = std::make_shared<Node>(from->kind);
    CopyInto(*from, to.get());
    return to;
  }

  const PowerCut* const cut_;  // null: only the process ended
  Random random_;
  std::map<const Node*, NodePtr> copies_;
};

std::unique_ptr<FileSystem> FileSystem::CloneAfterProcessCrash() {
  MutexLock lock(&mu_);
  TreeCopier copier(nullptr);
  return CloneWith(&copier);
}

std::unique_ptr<FileSystem> FileSystem::CloneAfterPowerCut(const PowerCut& cut) {
  MutexLock lock(&mu_);
  TreeCopier copier(&cut);
  return CloneWith(&copier);
}

std::unique_ptr<FileSystem> FileSystem::CloneWith(TreeCopier* copier) {
  CaptureStores();
  auto clone = std::make_unique<FileSystem>(0);
  MutexLock lock(&clone->mu_);
  clone->random_ = random_;
  clone->last_change_ = last_change_;
  clone->capacity_bytes_ = capacity_bytes_;
  copier->CopyRoot(*root_, clone->root_.get());
  clone->used_bytes_ = copier->CountUsedBytes(clone->root_.get());
  return clone;
}

Result<std::string> FileSystem::ReadAll(const std::string& path) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindFile("read", path));
  std::string content(node->file.size(), '\0');
  (void)node->file.Read(0, content.size(), content.data());
  return content;
}

Status FileSystem::Plant(const std::string& path, uint64_t offset, std::string_view data) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindOrCreateFile("write", path));
  if (AddBlocks(node.get(), offset, data.size()) < data.size()) {
    return ErrnoStatusAt("write", path, offset, ENOSPC);
  }
  node->file.Plant(offset, data);
  PlantNames(path);
  return Status::Ok();
}

Status FileSystem::PlantWhole(const std::string& path, std::string_view content) {
  {
    MutexLock lock(&mu_);
    VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindOrCreateFile("write", path));
    CutTo(node.get(), 0);
    node->file.Sync();
  }
  return Plant(path, 0, content);
}

void FileSystem::PlantNames(const std::string& path) {
  Node* directory = root_.get();
  for (const std::string& name : SplitPath(path)) {
    const NodePtr node = directory->directory.Find(name);
    directory->directory.Plant(name, node);
    directory = node.get();
  }
}

Status FileSystem::CorruptByte(const std::string& path, uint64_t offset, uint8_t xor_mask) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindFile("corrupt", path));
  if (offset >= node->file.size()) {
    return Status::InvalidArgument("corrupt " + path + ": offset " + std::to_string(offset) +
                                   " is behind the end of the file");
  }
  node->file.CorruptByte(offset, xor_mask);
  return Status::Ok();
}

std::vector<std::string> FileSystem::FileNames() {
  MutexLock lock(&mu_);
  std::vector<std::string> names;
  ForEachFile("", root_.get(), [&](const std::string& path, Node*) { names.push_back(path); });
  return names;
}

void FileSystem::SyncAll() {
  MutexLock lock(&mu_);
  SyncTree(root_.get());
}

}  // namespace varve::crash
