#include "engine/rewrite.h"

#include <algorithm>

#include "base/status_macros.h"

namespace varve {

Status RewriteAndSync(Env* env, const std::string& path, uint64_t from) {
  constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
  VARVE_ASSIGN_OR_RETURN(auto file, env->OpenWritable(path, Env::OpenMode::kOpenExisting));
  VARVE_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string piece;
  for (uint64_t offset = from; offset < size; offset += piece.size()) {
    piece.resize(std::min(kPieceBytes, size - offset));
    VARVE_ASSIGN_OR_RETURN(const size_t got, file->Read(offset, piece.size(), piece.data()));
    if (got == 0) break;
    piece.resize(got);
    VARVE_RETURN_IF_ERROR(file->Write(offset, piece));
  }
  VARVE_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

Status ZeroTail(Env* env, const std::string& path, uint64_t from) {
  constexpr uint64_t kFilePageBytes = 4096;
  VARVE_ASSIGN_OR_RETURN(auto file, env->OpenWritable(path, Env::OpenMode::kOpenExisting));
  VARVE_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string page;
  for (uint64_t offset = from; offset < size; offset += page.size()) {
    page.resize(std::min(kFilePageBytes - offset % kFilePageBytes, size - offset));
    VARVE_ASSIGN_OR_RETURN(const size_t got, file->Read(offset, page.size(), page.data()));
    if (got == 0) break;
    page.resize(got);
    if (page.find_first_not_of('\0') == std::string::npos) continue;
    VARVE_RETURN_IF_ERROR(file->Write(offset, std::string(page.size(), '\0')));
  }
  VARVE_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

namespace {
constexpr std::string_view kRenewSuffix = ".renew";
}

Status RenewName(Env* env, const std::string& path) {
  const std::string other = path + std::string(kRenewSuffix);
  VARVE_RETURN_IF_ERROR(env->RenameFile(path, other));
  return env->RenameFile(other, path);
}

Status RestoreNames(Env* env, const std::string& dir) {
  VARVE_ASSIGN_OR_RETURN(const auto names, env->ListDir(dir));
  for (const std::string& name : names) {
    if (!name.ends_with(kRenewSuffix)) continue;
    const std::string original = name.substr(0, name.size() - kRenewSuffix.size());
    VARVE_RETURN_IF_ERROR(env->RenameFile(JoinPath(dir, name), JoinPath(dir, original)));
  }
  return Status::Ok();
}

}  // namespace varve
