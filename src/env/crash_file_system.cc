#include "env/crash_file_system.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "env/posix_error.h"

namespace varve::crash {
namespace {

// Larger offsets are a caller's arithmetic gone wrong: fail as the kernel does.
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 44;

bool FitsInFile(uint64_t offset, uint64_t size) {
  return size <= kMaxFileBytes && offset <= kMaxFileBytes - size;
}

std::string PairOf(const std::string& from, const std::string& to) { return from + " to " + to; }

}  // namespace

std::vector<std::string> SplitPath(const std::string& path) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") parts.push_back(part);
    begin = end + 1;
  }
  return parts;
}

FileSystem::FileSystem(uint64_t seed)
    : root_(std::make_shared<Node>(Node::Kind::kDirectory)), random_(seed) {}

// --- Finding.

Result<FileSystem::Place> FileSystem::FindPlace(std::string_view operation,
                                                const std::string& path) {
  std::vector<std::string> parts = SplitPath(path);
  if (parts.empty()) return ErrnoStatus(operation, path, EBUSY);  // the root itself
  Place place = {root_.get(), std::move(parts.back())};
  parts.pop_back();
  for (const std::string& part : parts) {
    const NodePtr node = place.parent->directory.Find(part);
    if (node == nullptr) return ErrnoStatus(operation, path, ENOENT);
    if (!node->is_directory()) return ErrnoStatus(operation, path, ENOTDIR);
    place.parent = node.get();
  }
  return place;
}

Result<NodePtr> FileSystem::FindNode(std::string_view operation, const std::string& path) {
  if (SplitPath(path).empty()) return root_;
  VARVE_ASSIGN_OR_RETURN(const Place place, FindPlace(operation, path));
  NodePtr node = place.parent->directory.Find(place.name);
  if (node == nullptr) return ErrnoStatus(operation, path, ENOENT);
  return node;
}

Result<NodePtr> FileSystem::FindFile(std::string_view operation, const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(NodePtr node, FindNode(operation, path));
  if (node->is_directory()) return ErrnoStatus(operation, path, EISDIR);
  return node;
}

Result<Node*> FileSystem::FindDir(std::string_view operation, const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindNode(operation, path));
  if (!node->is_directory()) return ErrnoStatus(operation, path, ENOTDIR);
  return node.get();
}

Result<NodePtr> FileSystem::FindOrCreateFile(std::string_view operation, const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Place place, FindPlace(operation, path));
  NodePtr node = place.parent->directory.Find(place.name);
  if (node == nullptr) return CreateFileAt(place);
  if (node->is_directory()) return ErrnoStatus(operation, path, EISDIR);
  return node;
}

NodePtr FileSystem::CreateFileAt(const Place& place) {
  auto node = std::make_shared<Node>(Node::Kind::kFile);
  node->names = 1;
  place.parent->directory.Apply({NextChange(), {{place.name, node}}});
  return node;
}

// --- Open files.

Result<NodePtr> FileSystem::OpenExisting(const std::string& path) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(NodePtr node, FindFile("open", path));
  ++node->handles;
  return node;
}

Result<NodePtr> FileSystem::Open(const std::string& path, Env::OpenMode mode) {
  if (mode == Env::OpenMode::kOpenExisting) return OpenExisting(path);
  MutexLock lock(&mu_);
  if (mode == Env::OpenMode::kCreateNew && FindNode("open", path).ok()) {
    return ErrnoStatus("open", path, EEXIST);
  }
  VARVE_ASSIGN_OR_RETURN(NodePtr node, FindOrCreateFile("open", path));
  CutTo(node.get(), 0);
  ++node->handles;
  return node;
}

Result<NodePtr> FileSystem::Map(const std::string& path, uint64_t capacity, Region** region) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(NodePtr node, FindOrCreateFile("map", path));
  *region = node->file.Map(capacity);
  mapped_.push_back(node.get());
  ++node->handles;
  return node;
}

Result<NodePtr> FileSystem::Lock(const std::string& path) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(NodePtr node, FindOrCreateFile("lock", path));
  if (node->locked) return Status::Busy("lock " + path + ": this process has it open already");
  node->locked = true;
  ++node->handles;
  return node;
}

void FileSystem::Release(Node* node) {
  MutexLock lock(&mu_);
  VARVE_CHECK(node->handles > 0);
  --node->handles;
  FreeIfUnused(node);
}

void FileSystem::Unmap(Node* node, uint64_t final_size) {
  MutexLock lock(&mu_);
  node->file.Unmap();
  std::erase(mapped_, node);
  if (final_size != MappedFile::kKeepSize) CutTo(node, final_size);
}

void FileSystem::Unlock(Node* node) {
  {
    MutexLock lock(&mu_);
    node->locked = false;
  }
  Release(node);
}

size_t FileSystem::Read(Node* node, uint64_t offset, size_t size, char* buffer) {
  MutexLock lock(&mu_);
  return node->file.Read(offset, size, buffer);
}

uint64_t FileSystem::Size(Node* node) {
  MutexLock lock(&mu_);
  return node->file.size();
}

Status FileSystem::Write(Node* node, const std::string& path, uint64_t offset,
                         std::string_view data) {
  if (!FitsInFile(offset, data.size())) return ErrnoStatusAt("write", path, offset, EFBIG);
  MutexLock lock(&mu_);
  const uint64_t fitting = AddBlocks(node, offset, data.size());
  if (fitting > 0) node->file.Write(offset, data.substr(0, fitting));
  if (fitting < data.size()) return ErrnoStatusAt("write", path, offset + fitting, ENOSPC);
  return Status::Ok();
}

void FileSystem::WritePart(Node* node, const std::string& path, uint64_t offset,
                           std::string_view data) {
  size_t size;
  {
    MutexLock lock(&mu_);
    size = static_cast<size_t>(random_.Uniform(data.size() + 1));
  }
  (void)Write(node, path, offset, data.substr(0, size)).ok();  // the caller reports its own error
}

Status FileSystem::Allocate(Node* node, const std::string& path, uint64_t offset, uint64_t size) {
  if (!FitsInFile(offset, size)) return ErrnoStatusAt("allocate", path, offset, EFBIG);
  MutexLock lock(&mu_);
  if (AddBlocks(node, offset, size) < size) return ErrnoStatusAt("allocate", path, offset, ENOSPC);
  if (size > 0 && offset + size > node->file.size()) node->file.Resize(offset + size);
  return Status::Ok();
}

Status FileSystem::Populate(Node* node, const std::string& path, uint64_t offset, uint64_t size) {
  MutexLock lock(&mu_);
  if (AddBlocks(node, offset, size) < size) return ErrnoStatusAt("populate", path, offset, ENOSPC);
  if (size > 0) node->file.Populate(offset, size);
  return Status::Ok();
}

void FileSystem::Truncate(Node* node, uint64_t size) {
  MutexLock lock(&mu_);
  CutTo(node, size);
}

void FileSystem::Sync(Node* node) {
  MutexLock lock(&mu_);
  node->file.Sync();
}

void FileSystem::SyncPartly(Node* node) {
  MutexLock lock(&mu_);
  node->file.SyncPartly(&random_);
}

// --- Names.

bool FileSystem::Exists(const std::string& path) {
  MutexLock lock(&mu_);
  return FindNode("stat", path).ok();
}

Result<uint64_t> FileSystem::FileSize(const std::string& path) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindFile("stat", path));
  return node->file.size();
}

Status FileSystem::Remove(const std::string& path) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindFile("remove", path));
  VARVE_ASSIGN_OR_RETURN(const Place place, FindPlace("remove", path));
  place.parent->directory.Apply({NextChange(), {{place.name, nullptr}}});
  --node->names;
  FreeIfUnused(node.get());
  return Status::Ok();
}

Status FileSystem::CheckReplaces(const Node& from, const NodePtr& target, const std::string& to) {
  if (target == nullptr) return Status::Ok();
  if (target->is_directory() != from.is_directory()) {
    return ErrnoStatus("rename", to, target->is_directory() ? EISDIR : ENOTDIR);
  }
  if (!target->directory.entries().empty()) return ErrnoStatus("rename", to, ENOTEMPTY);
  return Status::Ok();
}

Status FileSystem::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindNode("rename", from));
  VARVE_ASSIGN_OR_RETURN(const Place source, FindPlace("rename", from));
  VARVE_ASSIGN_OR_RETURN(const Place target, FindPlace("rename", to));
  const NodePtr replaced = target.parent->directory.Find(target.name);
  if (replaced == node) return Status::Ok();
  VARVE_RETURN_IF_ERROR(CheckReplaces(*node, replaced, to));
  const uint64_t id = NextChange();
  if (source.parent == target.parent) {
    source.parent->directory.Apply({id, {{source.name, nullptr}, {target.name, node}}});
  } else if (node->is_directory()) {
    // Trees whose parts survive independently could come to contain themselves.
    return Status::NotSupported("rename " + PairOf(from, to) + ": a directory keeps its parent");
  } else {
    source.parent->directory.Apply({id, {{source.name, nullptr}}});
    target.parent->directory.Apply({id, {{target.name, node}}});
  }
  if (replaced != nullptr && !replaced->is_directory()) {
    --replaced->names;
    FreeIfUnused(replaced.get());
  }
  return Status::Ok();
}

Status FileSystem::Link(const std::string& from, const std::string& to) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const NodePtr node, FindFile("link", from));
  VARVE_ASSIGN_OR_RETURN(const Place place, FindPlace("link", to));
  if (place.parent->directory.Find(place.name) != nullptr) {
    return ErrnoStatus("link", PairOf(from, to), EEXIST);
  }
  place.parent->directory.Apply({NextChange(), {{place.name, node}}});
  ++node->names;
  return Status::Ok();
}

Result<std::vector<std::string>> FileSystem::List(const std::string& dir) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const Node* const node, FindDir("list", dir));
  std::vector<std::string> names;
  for (const auto& [name, child] : node->directory.entries()) names.push_back(name);
  return names;
}

Status FileSystem::CreateDir(const std::string& dir) {
  MutexLock lock(&mu_);
  const Result<NodePtr> existing = FindNode("create directory", dir);
  if (existing.ok()) {
    return (*existing)->is_directory() ? Status::Ok()
                                       : ErrnoStatus("create directory", dir, EEXIST);
  }
  VARVE_ASSIGN_OR_RETURN(const Place place, FindPlace("create directory", dir));
  const auto node = std::make_shared<Node>(Node::Kind::kDirectory);
  place.parent->directory.Apply({NextChange(), {{place.name, node}}});
  return Status::Ok();
}

Status FileSystem::RemoveDir(const std::string& dir) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(const Node* const node, FindDir("remove directory", dir));
  VARVE_ASSIGN_OR_RETURN(const Place place, FindPlace("remove directory", dir));
  if (!node->directory.entries().empty()) return ErrnoStatus("remove directory", dir, ENOTEMPTY);
  place.parent->directory.Apply({NextChange(), {{place.name, nullptr}}});
  return Status::Ok();
}

Status FileSystem::SyncDir(const std::string& dir) {
  MutexLock lock(&mu_);
  VARVE_ASSIGN_OR_RETURN(Node* const node, FindDir("sync directory", dir));
  node->directory.Sync();
  return Status::Ok();
}

void FileSystem::SyncDirPartly(const std::string& dir) {
  MutexLock lock(&mu_);
  const Result<Node*> node = FindDir("sync directory", dir);
  if (node.ok()) (*node)->directory.SyncPartly(&random_);
}

// --- Space.

uint64_t FileSystem::FreeSpace() {
  MutexLock lock(&mu_);
  return capacity_bytes_ - std::min(used_bytes_, capacity_bytes_);
}

void FileSystem::SetFreeSpace(uint64_t bytes) {
  MutexLock lock(&mu_);
  capacity_bytes_ = used_bytes_ + std::min(bytes, kUnlimitedBytes);
}

uint64_t FileSystem::AddBlocks(Node* node, uint64_t offset, uint64_t size) {
  if (size == 0) return 0;
  const uint64_t end = (offset + size + kPageBytes - 1) / kPageBytes;
  for (uint64_t page = offset / kPageBytes; page < end; ++page) {
    if (node->file.HasBlock(page)) continue;
    if (used_bytes_ + kPageBytes > capacity_bytes_) {
      return page * kPageBytes <= offset ? 0 : page * kPageBytes - offset;
    }
    node->file.AddBlock(page);
    used_bytes_ += kPageBytes;
  }
  return size;
}

void FileSystem::CutTo(Node* node, uint64_t size) {
  node->file.Resize(size);
  used_bytes_ -= node->file.RemoveBlocksFrom((size + kPageBytes - 1) / kPageBytes) * kPageBytes;
}

void FileSystem::FreeIfUnused(Node* node) {
  if (node->names > 0 || node->handles > 0) return;
  used_bytes_ -= node->file.RemoveBlocksFrom(0) * kPageBytes;
}

void FileSystem::CaptureStores() {
  // The file mapped last comes first: who sees a store into it also sees what was stored into older
  // files before. Within a file FileState keeps the same order.
  for (auto node = mapped_.rbegin(); node != mapped_.rend(); ++node) (*node)->file.CaptureStores();
}

}  // namespace varve::crash
