#include "engine/newer_files.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "base/planted_bug.h"
#include "format/filename.h"
#include "format/segment.h"
#include "format/value_log.h"
#include "format/wal.h"

namespace varve {

namespace {

// Of each kind, the youngest: a release writes its format to new files, and gives out numbers in order. A store of
// thousands of files opens as fast as before.
constexpr size_t kFilesLookedAt = 16;

Status VersionOf(Env* env, const std::string& path, const ParsedFileName& name) {
  auto file = env->OpenRandomAccess(path);
  if (!file.ok()) return file.status();
  uint64_t offset = 0;
  char bytes[std::max({kSegmentFooterBytes, kWalFileHeaderBytes, kValueLogFileHeaderBytes})];
  size_t length = name.type == FileType::kWal ? kWalFileHeaderBytes : kValueLogFileHeaderBytes;
  if (name.type == FileType::kSegment) {
    const Result<uint64_t> size = (*file)->Size();
    if (!size.ok()) return size.status();
    length = kSegmentFooterBytes;
    if (*size < length) return Status::Ok();
    offset = *size - length;
  }
  const Result<size_t> got = (*file)->Read(offset, length, bytes);
  if (!got.ok()) return got.status();
  const std::string_view content(bytes, *got);
  if (name.type == FileType::kWal) return DecodeWalFileHeader(content, name.number).status();
  if (name.type == FileType::kValueLog) return CheckValueLogFileHeader(content, name.number);
  return DecodeSegmentFooter(content, name.number, offset).status();
}

}  // namespace

Status RefuseNewerFiles(Env* env, const std::string& dir, const std::vector<std::string>& names) {
  for (const FileType type : {FileType::kWal, FileType::kSegment, FileType::kValueLog}) {
    std::vector<uint64_t> numbers;
    for (const std::string& name : names) {
      const auto parsed = ParseFileName(name);
      if (parsed && parsed->type == type) numbers.push_back(parsed->number);
    }
    const size_t count = std::min(numbers.size(), kFilesLookedAt);
    std::partial_sort(numbers.begin(), numbers.begin() + static_cast<ptrdiff_t>(count), numbers.end(), std::greater<>());
    for (size_t i = 0; i < count; ++i) {
      std::string name = WalFileName(numbers[i]);
      if (type == FileType::kSegment) name = SegmentFileName(numbers[i]);
      if (type == FileType::kValueLog) name = ValueLogFileName(numbers[i]);
      const std::string path = JoinPath(dir, name);
      const Status status = VersionOf(env, path, {type, numbers[i]});
      if (status.code() == StatusCode::kNotSupported && !VARVE_PLANTED_BUG("open.newer_files_accepted")) {
        return status.WithContext(path);
      }
    }
  }
  return Status::Ok();
}

}  // namespace varve
