#include "env/crash_handles.h"

#include <cerrno>

#include "base/check.h"
#include "base/status_macros.h"
#include "env/posix_error.h"

namespace varve {

Status FaultStatus(Fault fault, const CallInfo& call) {
  if (fault == Fault::kNone) return Status::Ok();
  const std::string names = call.to.empty() ? call.path : call.path + " to " + call.to;
  return ErrnoStatus(CallKindName(call.kind), names, fault == Fault::kNoSpace ? ENOSPC : EIO);
}

Status CrashFile::Enter(const CallInfo& call) const {
  if (!open_) return ErrnoStatus(CallKindName(call.kind), path_, EBADF);
  return env_->Enter(call);
}

void CrashFile::Release() {
  if (!open_) return;
  open_ = false;
  env_->files_->Release(node_.get());
}

Result<size_t> CrashFile::Read(uint64_t offset, size_t size, char* buffer) const {
  VARVE_RETURN_IF_ERROR(Enter(Call(CallKind::kRead, offset, size)));
  return env_->files_->Read(node_.get(), offset, size, buffer);
}

Result<uint64_t> CrashFile::Size() const {
  VARVE_RETURN_IF_ERROR(Enter(Call(CallKind::kStat)));
  return env_->files_->Size(node_.get());
}

Status CrashFile::Write(uint64_t offset, std::string_view data) {
  CallInfo call = Call(CallKind::kWrite, offset, data.size());
  if (!open_) return Enter(call);
  call.data = data;
  const Fault fault = env_->faults_.Enter(call);
  if (fault == Fault::kShortWrite) env_->files_->WritePart(node_.get(), path_, offset, data);
  VARVE_RETURN_IF_ERROR(FaultStatus(fault, call));
  return env_->files_->Write(node_.get(), path_, offset, data);
}

Status CrashFile::Allocate(uint64_t offset, uint64_t size) {
  VARVE_RETURN_IF_ERROR(Enter(Call(CallKind::kAllocate, offset, size)));
  if (!env_->allocation_supported_) {
    return Status::NotSupported("allocate " + path_ + ": not on this file system");
  }
  return env_->files_->Allocate(node_.get(), path_, offset, size);
}

Status CrashFile::Populate(uint64_t offset, uint64_t size) {
  VARVE_RETURN_IF_ERROR(Enter(Call(CallKind::kPopulate, offset, size)));
  return env_->files_->Populate(node_.get(), path_, offset, size);
}

Status CrashFile::Truncate(uint64_t size) {
  VARVE_RETURN_IF_ERROR(Enter(Call(CallKind::kTruncate, 0, size)));
  env_->files_->Truncate(node_.get(), size);
  return Status::Ok();
}

Status CrashFile::Sync() {
  const CallInfo call = Call(CallKind::kSync);
  if (!open_) return Enter(call);
  const Fault fault = env_->faults_.Enter(call);
  if (fault == Fault::kFailedSync) env_->files_->SyncPartly(node_.get());
  VARVE_RETURN_IF_ERROR(FaultStatus(fault, call));
  env_->files_->Sync(node_.get());
  return Status::Ok();
}

Status CrashFile::Close() {
  if (!open_) return Status::Ok();
  const Status status = Enter(Call(CallKind::kClose));
  Release();
  return status;
}

Status CrashFile::Unmap(uint64_t final_size) {
  if (!open_) return Status::Ok();
  const Status status = Enter(Call(CallKind::kClose));
  env_->files_->Unmap(node_.get(), status.ok() ? final_size : MappedFile::kKeepSize);
  Release();
  return status;
}

Status CrashMappedFile::Populate(uint64_t offset, uint64_t size) {
  VARVE_CHECK(file_.open() && offset <= capacity_ && size <= capacity_ - offset);
  return file_.Populate(offset, size);
}

CrashFileLock::~CrashFileLock() { env_->files_->Unlock(node_.get()); }

}  // namespace varve
