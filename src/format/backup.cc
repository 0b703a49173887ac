#include "format/backup.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/coding.h"
#include "base/hash.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "format/filename.h"
#include "format/newer_format.h"
#include "varve/version.h"

namespace varve {

namespace {

constexpr std::string_view kBackupMagic = "VARVEBAK";
constexpr size_t kHeaderChecksumAt = 56;

Status Damaged(const std::string& what) { return Status::Corruption("backup: " + what); }

uint64_t FrameChecksum(BackupFrameType type, std::string_view payload, uint64_t id, uint64_t offset) {
  const uint64_t length_and_type =
      static_cast<uint64_t>(type) << 32 | static_cast<uint64_t>(payload.size());
  return Hash64Long(payload, PlaceSeed(id, offset) ^ length_and_type);
}

void AppendFile(const BackupFile& file, std::string* to) {
  to->push_back(static_cast<char>(file.type));
  AppendFixed(to, file.origin);
  for (const uint64_t number : {file.number, file.bytes, file.settled, file.from}) {
    AppendVarint(to, number);
  }
}

bool ConsumeFile(std::string_view* from, BackupFile* file) {
  uint8_t type;
  if (!ConsumeFixed(from, &type) || type < 1 || type > 3) return false;
  file->type = static_cast<BackupFileType>(type);
  return ConsumeFixed(from, &file->origin) && ConsumeVarint(from, &file->number) &&
         ConsumeVarint(from, &file->bytes) && ConsumeVarint(from, &file->settled) &&
         ConsumeVarint(from, &file->from) && file->settled <= file->bytes &&
         file->from <= file->bytes;
}

// Whether the files are exactly those that the edit needs, each as long as it says.
Status CheckPlan(const BackupPlan& plan) {
  std::map<std::pair<BackupFileType, uint64_t>, const BackupFile*> files;
  uint64_t last_number = 0, oldest_log = 0, last_log = 0, last_log_bytes = 0;
  for (const BackupFile& file : plan.files) {
    if (!files.emplace(std::pair{file.type, file.number}, &file).second) {
      return Damaged("the plan lists " + BackupFileName(file) + " twice");
    }
    last_number = std::max(last_number, file.number);
    if (file.type != BackupFileType::kWal) continue;
    if (file.number <= last_log || file.from != 0) return Damaged("the plan's logs are out of order");
    if (oldest_log == 0) oldest_log = file.number;
    last_log = file.number;
    last_log_bytes = file.bytes;
  }
  const VersionEdit& edit = plan.edit;
  if (!edit.format_version || !edit.hash_salt || !edit.last_sequence || !edit.next_file_number ||
      *edit.next_file_number <= last_number || *edit.next_file_number > kMaxSequence) {
    return Damaged("the plan lacks what a store needs");
  }
  if (edit.oldest_log_number.value_or(0) != oldest_log) {
    return Damaged("the plan's oldest log is not the one that it names");
  }
  const DurableLog durable = edit.durable_log.value_or(DurableLog{});
  if (durable.number != last_log || durable.end != last_log_bytes) {
    return Damaged("the plan's last log is not the one that it names");
  }
  size_t named = 0;
  const auto is_there = [&](BackupFileType type, uint64_t number, uint64_t bytes) {
    const auto found = files.find({type, number});
    ++named;
    return found != files.end() && found->second->bytes == bytes;
  };
  for (const SegmentMeta& meta : edit.added_segments) {
    if (is_there(BackupFileType::kSegment, meta.file_number, meta.file_bytes)) continue;
    return Damaged("the plan lacks " + SegmentFileName(meta.file_number));
  }
  for (const ValueLogFileMeta& meta : edit.added_value_logs) {
    if (is_there(BackupFileType::kValueLog, meta.file_number, meta.file_bytes)) continue;
    return Damaged("the plan lacks " + ValueLogFileName(meta.file_number));
  }
  const auto logs = std::count_if(plan.files.begin(), plan.files.end(), [](const BackupFile& file) {
    return file.type == BackupFileType::kWal;
  });
  if (named + static_cast<size_t>(logs) != files.size()) {
    return Damaged("the plan has files that the store does not");
  }
  return Status::Ok();
}

}  // namespace

void EncodeBackupHeader(const BackupHeader& header, char* to) {
  std::fill(to, to + kBackupHeaderBytes, '\0');
  CopyBytes(to, kBackupMagic);
  StoreFixed(to + 8, kFormatVersion);
  StoreFixed(to + 16, header.id);
  StoreFixed(to + 24, header.since);
  StoreFixed(to + 32, header.created_millis);
  StoreFixed(to + kHeaderChecksumAt, Hash64({to, kHeaderChecksumAt}));
}

Result<BackupHeader> DecodeBackupHeader(std::string_view bytes) {
  if (bytes.size() < kBackupHeaderBytes) return Damaged("it is cut off in its header");
  if (!bytes.starts_with(kBackupMagic)) return Damaged("this is no backup of a varve store");
  const char* from = bytes.data();
  if (LoadFixed<uint64_t>(from + kHeaderChecksumAt) != Hash64({from, kHeaderChecksumAt})) {
    return Damaged("its header is damaged");
  }
  const uint32_t version = LoadFixed<uint32_t>(from + 8);
  if (version > kFormatVersion) {
    return NewerFormat("the backup", version);
  }
  const BackupHeader header{LoadFixed<uint64_t>(from + 16), LoadFixed<uint64_t>(from + 24),
                            LoadFixed<uint64_t>(from + 32)};
  if (header.id == 0) return Damaged("its header has no id");
  return header;
}

std::string BackupFileName(const BackupFile& file) {
  switch (file.type) {
    case BackupFileType::kSegment:
      return SegmentFileName(file.number);
    case BackupFileType::kValueLog:
      return ValueLogFileName(file.number);
    case BackupFileType::kWal:
      break;
  }
  return WalFileName(file.number);
}

std::string EncodeBackupPlan(const BackupPlan& plan) {
  std::string to;
  AppendLengthPrefixed(&to, EncodeVersionEdit(plan.edit));
  AppendVarint(&to, plan.files.size());
  for (const BackupFile& file : plan.files) AppendFile(file, &to);
  return to;
}

Result<BackupPlan> DecodeBackupPlan(std::string_view bytes) {
  std::string_view edit;
  uint64_t count;
  if (!ConsumeLengthPrefixed(&bytes, &edit) || !ConsumeVarint(&bytes, &count) ||
      count > bytes.size()) {
    return Damaged("its plan is malformed");
  }
  BackupPlan plan;
  VARVE_ASSIGN_OR_RETURN(plan.edit, DecodeVersionEdit(edit));
  plan.files.resize(static_cast<size_t>(count));
  for (BackupFile& file : plan.files) {
    if (!ConsumeFile(&bytes, &file)) return Damaged("its plan is malformed");
  }
  if (!bytes.empty()) return Damaged("its plan is malformed");
  VARVE_RETURN_IF_ERROR(CheckPlan(plan));
  return plan;
}

uint64_t EncodeBackupFrameHeader(BackupFrameType type, std::string_view payload, uint64_t id,
                                 uint64_t offset, char* to) {
  const uint64_t checksum = FrameChecksum(type, payload, id, offset);
  StoreFixed(to, static_cast<uint32_t>(type));
  StoreFixed(to + 4, static_cast<uint32_t>(payload.size()));
  StoreFixed(to + 8, checksum);
  return checksum;
}

Result<BackupFrameHeader> DecodeBackupFrameHeader(std::string_view bytes) {
  if (bytes.size() < kBackupFrameHeaderBytes) return Damaged("it is cut off");
  const uint32_t type = LoadFixed<uint32_t>(bytes.data());
  BackupFrameHeader header{static_cast<BackupFrameType>(type), LoadFixed<uint32_t>(bytes.data() + 4),
                           LoadFixed<uint64_t>(bytes.data() + 8)};
  size_t limit = 0;
  if (header.type == BackupFrameType::kPlan) limit = kMaxBackupPlanBytes;
  if (header.type == BackupFrameType::kFile) limit = kMaxVarint64Bytes;
  if (header.type == BackupFrameType::kData) limit = kMaxBackupDataBytes;
  if (header.type == BackupFrameType::kEnd) limit = kBackupEndPayloadBytes;
  if (header.payload_bytes == 0 || header.payload_bytes > limit) return Damaged("it is damaged");
  return header;
}

bool CheckBackupFrame(const BackupFrameHeader& header, std::string_view payload, uint64_t id,
                      uint64_t offset) {
  if (VARVE_PLANTED_BUG("backup.checksum_not_compared")) return true;
  return header.checksum == FrameChecksum(header.type, payload, id, offset);
}

void BackupEnd::Add(const BackupFrameHeader& frame) {
  ++frame_count;
  if (frame.type == BackupFrameType::kData) carried_bytes += frame.payload_bytes;
  stream_bytes += kBackupFrameHeaderBytes + frame.payload_bytes;
  char checksum[sizeof(frame.checksum)];
  StoreFixed(checksum, frame.checksum);
  digest = Hash64({checksum, sizeof(checksum)}, digest);
}

void EncodeBackupEnd(const BackupEnd& end, char* to) {
  StoreFixed(to, end.frame_count);
  StoreFixed(to + 8, end.carried_bytes);
  StoreFixed(to + 16, end.stream_bytes);
  StoreFixed(to + 24, end.digest);
}

Result<BackupEnd> DecodeBackupEnd(std::string_view payload) {
  if (payload.size() != kBackupEndPayloadBytes) return Damaged("its end is malformed");
  const char* from = payload.data();
  return BackupEnd{LoadFixed<uint64_t>(from), LoadFixed<uint64_t>(from + 8),
                   LoadFixed<uint64_t>(from + 16), LoadFixed<uint64_t>(from + 24)};
}

}  // namespace varve
