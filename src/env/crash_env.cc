#include "env/crash_env.h"

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "env/crash_bytes.h"
#include "env/crash_file_system.h"
#include "env/crash_handles.h"
#include "env/posix_error.h"
#include "env/posix_system.h"

namespace varve {

CrashEnv::CrashEnv(uint64_t seed, SimClock::Mode clock_mode)
    : clock_(clock_mode), files_(std::make_unique<crash::FileSystem>(seed)), seeds_(seed) {}

CrashEnv::CrashEnv(const SimClock& clock, const Random& seeds, bool allocation_supported,
                   std::unique_ptr<crash::FileSystem> files)
    : clock_(clock),
      allocation_supported_(allocation_supported),
      files_(std::move(files)),
      seeds_(seeds) {}

CrashEnv::~CrashEnv() = default;

// --- Clones, faults and direct access.

std::unique_ptr<CrashEnv> CrashEnv::Wrap(std::unique_ptr<crash::FileSystem> files) {
  MutexLock lock(&seeds_mu_);
  return std::unique_ptr<CrashEnv>(
      new CrashEnv(clock_, seeds_, allocation_supported_, std::move(files)));
}

std::unique_ptr<CrashEnv> CrashEnv::CloneAfterProcessCrash() {
  return Wrap(files_->CloneAfterProcessCrash());
}

std::unique_ptr<CrashEnv> CrashEnv::CloneAfterPowerCut(const PowerCut& cut) {
  return Wrap(files_->CloneAfterPowerCut(cut));
}

Status CrashEnv::Enter(const CallInfo& call) { return FaultStatus(faults_.Enter(call), call); }

void CrashEnv::SetFreeSpace(uint64_t bytes) { files_->SetFreeSpace(bytes); }

Result<std::string> CrashEnv::ReadFileForTest(const std::string& path) {
  return files_->ReadAll(path);
}

Status CrashEnv::WriteFileForTest(const std::string& path, std::string_view content) {
  return files_->PlantWhole(path, content);
}

Status CrashEnv::WriteFileForTest(const std::string& path, uint64_t offset, std::string_view data) {
  return files_->Plant(path, offset, data);
}

Status CrashEnv::CorruptByte(const std::string& path, uint64_t offset, uint8_t xor_mask) {
  return files_->CorruptByte(path, offset, xor_mask);
}

std::vector<std::string> CrashEnv::FileNames() { return files_->FileNames(); }

void CrashEnv::SyncAll() { files_->SyncAll(); }

// --- Files.

Result<std::unique_ptr<RandomAccessFile>> CrashEnv::OpenRandomAccess(const std::string& path) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kOpenRead, .path = path}));
  VARVE_ASSIGN_OR_RETURN(crash::NodePtr node, files_->OpenExisting(path));
  return std::unique_ptr<RandomAccessFile>(
      std::make_unique<CrashRandomAccessFile>(this, std::move(node), path));
}

Result<std::unique_ptr<WritableFile>> CrashEnv::OpenWritable(const std::string& path,
                                                             OpenMode mode) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kOpenWrite, .path = path}));
  VARVE_ASSIGN_OR_RETURN(crash::NodePtr node, files_->Open(path, mode));
  return std::unique_ptr<WritableFile>(
      std::make_unique<CrashWritableFile>(this, std::move(node), path));
}

Result<std::unique_ptr<MappedFile>> CrashEnv::OpenMapped(const std::string& path,
                                                         uint64_t capacity) {
  VARVE_CHECK(capacity > 0 && capacity % crash::kPageBytes == 0);
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kOpenWrite, .path = path, .size = capacity}));
  if (!allocation_supported_) {
    return Status::NotSupported("map " + path + ": this file system may move allocated blocks");
  }
  crash::Region* region = nullptr;
  VARVE_ASSIGN_OR_RETURN(crash::NodePtr node, files_->Map(path, capacity, &region));
  return std::unique_ptr<MappedFile>(
      std::make_unique<CrashMappedFile>(this, std::move(node), path, region));
}

Status CrashEnv::RemoveFile(const std::string& path) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kRemove, .path = path}));
  return files_->Remove(path);
}

Status CrashEnv::RenameFile(const std::string& from, const std::string& to) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kRename, .path = from, .to = to}));
  return files_->Rename(from, to);
}

Status CrashEnv::LinkFile(const std::string& from, const std::string& to) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kLink, .path = from, .to = to}));
  return files_->Link(from, to);
}

bool CrashEnv::FileExists(const std::string& path) { return files_->Exists(path); }

Result<uint64_t> CrashEnv::FileSize(const std::string& path) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kStat, .path = path}));
  return files_->FileSize(path);
}

// --- Directories.

Result<std::vector<std::string>> CrashEnv::ListDir(const std::string& dir) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kList, .path = dir}));
  return files_->List(dir);
}

Status CrashEnv::CreateDir(const std::string& dir) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kCreateDir, .path = dir}));
  return files_->CreateDir(dir);
}

Status CrashEnv::RemoveDir(const std::string& dir) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kRemove, .path = dir}));
  return files_->RemoveDir(dir);
}

Status CrashEnv::SyncDir(const std::string& dir) {
  const CallInfo call = {.kind = CallKind::kSyncDir, .path = dir};
  const Fault fault = faults_.Enter(call);
  if (fault == Fault::kFailedSync) files_->SyncDirPartly(dir);
  VARVE_RETURN_IF_ERROR(FaultStatus(fault, call));
  return files_->SyncDir(dir);
}

Result<std::unique_ptr<FileLock>> CrashEnv::LockFile(const std::string& path) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kLock, .path = path}));
  VARVE_ASSIGN_OR_RETURN(crash::NodePtr node, files_->Lock(path));
  return std::unique_ptr<FileLock>(std::make_unique<CrashFileLock>(this, std::move(node)));
}

Result<uint64_t> CrashEnv::FreeSpace(const std::string& path) {
  VARVE_RETURN_IF_ERROR(Enter({.kind = CallKind::kStat, .path = path}));
  if (!files_->Exists(path)) return ErrnoStatus("free space of", path, ENOENT);
  return files_->FreeSpace();
}

// --- Threads, randomness, memory.

std::unique_ptr<Thread> CrashEnv::StartThread(const std::string& name, std::function<void()> body) {
  return StartPosixThread(name, std::move(body));
}

uint64_t CrashEnv::RandomSeed() {
  MutexLock lock(&seeds_mu_);
  return seeds_.Next();
}

// Stores in it are small and live for milliseconds: half of those went by in clearing large pages where there are any.
void* CrashEnv::AllocateHuge(size_t bytes) { return AllocateSmallPages(bytes); }

void CrashEnv::FreeHuge(void* memory, size_t bytes) { FreeHugePages(memory, bytes); }

}  // namespace varve
