#include "format/wal.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "format/newer_format.h"
#include "varve/version.h"

namespace varve {

namespace {

constexpr std::string_view kLogMagic = "VARVEWAL";

// Layout of the file header. Reaches disk.
constexpr size_t kHeaderVersionAt = 8;
constexpr size_t kHeaderFlagsAt = 12;
constexpr size_t kHeaderLogNumberAt = 16;
constexpr size_t kHeaderSaltAt = 24;
constexpr size_t kHeaderPreviousLogAt = 32;
constexpr size_t kHeaderPreviousEndAt = 40;
constexpr size_t kHeaderChecksumAt = 56;  // zeros before it

constexpr uint32_t kPreviousIsSynced = 1;

bool IsKnownType(uint32_t type) {
  return type == static_cast<uint32_t>(WalRecordType::kBatch) ||
         type == static_cast<uint32_t>(WalRecordType::kMark);
}

Status BadHeader(StatusCode code, uint64_t log_number, const std::string& what) {
  return {code, "log " + std::to_string(log_number) + ": " + what};
}

}  // namespace

void EncodeWalFileHeader(const WalFileHeader& header, char* to) {
  std::memset(to, 0, kWalFileHeaderBytes);
  std::memcpy(to, kLogMagic.data(), kLogMagic.size());
  StoreFixed(to + kHeaderVersionAt, kFormatVersion);
  StoreFixed(to + kHeaderFlagsAt, header.previous_is_synced ? kPreviousIsSynced : 0);
  StoreFixed(to + kHeaderLogNumberAt, header.log_number);
  StoreFixed(to + kHeaderSaltAt, header.salt);
  StoreFixed(to + kHeaderPreviousLogAt, header.previous_log_number);
  StoreFixed(to + kHeaderPreviousEndAt, header.previous_end_offset);
  StoreFixed(to + kHeaderChecksumAt, Hash64({to, kHeaderChecksumAt}, PlaceSeed(header.log_number, 0)));
}

Result<WalFileHeader> DecodeWalFileHeader(std::string_view image, uint64_t log_number) {
  const std::string_view bytes = image.substr(0, kWalFileHeaderBytes);
  if (bytes.find_first_not_of('\0') == std::string_view::npos) {
    return BadHeader(StatusCode::kNotFound, log_number, "was never begun");
  }
  if (bytes.size() < kWalFileHeaderBytes) {
    return BadHeader(StatusCode::kCorruption, log_number, "file header is cut off");
  }
  if (bytes.substr(0, kLogMagic.size()) != kLogMagic) {
    return BadHeader(StatusCode::kCorruption, log_number, "does not begin like a log");
  }
  const char* from = bytes.data();
  WalFileHeader header;
  header.log_number = LoadFixed<uint64_t>(from + kHeaderLogNumberAt);
  if (LoadFixed<uint64_t>(from + kHeaderChecksumAt) !=
      Hash64(bytes.substr(0, kHeaderChecksumAt), PlaceSeed(header.log_number, 0))) {
    return BadHeader(StatusCode::kCorruption, log_number,
                     "checksum of the file header does not match");
  }
  header.format_version = LoadFixed<uint32_t>(from + kHeaderVersionAt);
  header.previous_is_synced = (LoadFixed<uint32_t>(from + kHeaderFlagsAt) & kPreviousIsSynced) != 0;
  header.salt = LoadFixed<uint64_t>(from + kHeaderSaltAt);
  header.previous_log_number = LoadFixed<uint64_t>(from + kHeaderPreviousLogAt);
  header.previous_end_offset = LoadFixed<uint64_t>(from + kHeaderPreviousEndAt);
  if (header.format_version > kFormatVersion) {
    return NewerFormat("log " + std::to_string(log_number), header.format_version);
  }
  if (header.log_number != log_number) {
    return BadHeader(StatusCode::kNotFound, log_number,
                     "the file still holds log " + std::to_string(header.log_number));
  }
  return header;
}

void AppendWalRecord(const WalHeaderFields& fields, std::string_view payload, uint64_t seed,
                     std::string* log) {
  VARVE_CHECK(payload.size() == fields.payload_bytes && log->size() % 8 == 0);
  char header[kWalRecordHeaderBytes];
  EncodeWalRecordHeader(fields, WalPayloadHash(payload), seed, log->size(), header);
  const size_t end = log->size() + WalRecordBytes(payload.size());
  log->append(header, sizeof(header)).append(payload);
  log->resize(end);
}

bool DecodeWalRecord(std::string_view image, uint64_t offset, uint64_t seed, WalRecord* record) {
  if (offset > image.size() || image.size() - offset < kWalRecordHeaderBytes) return false;
  const char* header = image.data() + offset;
  const uint32_t count_and_type = LoadFixed<uint32_t>(header + 20);
  const uint32_t type = count_and_type >> 28;
  const uint64_t payload_bytes = LoadFixed<uint32_t>(header + 4);
  if (!IsKnownType(type) || payload_bytes > kMaxWalPayloadBytes ||
      payload_bytes > image.size() - offset - kWalRecordHeaderBytes) {
    return false;
  }
  const std::string_view payload(header + kWalRecordHeaderBytes, payload_bytes);
  record->first_sequence = LoadFixed<uint64_t>(header + 8);
  record->synced_offset = LoadFixed<uint32_t>(header + 16);
  if (LoadFixed<uint32_t>(header) !=
          internal::WalChecksum(static_cast<uint64_t>(count_and_type) << 32 | payload_bytes,
                                record->first_sequence, record->synced_offset,
                                WalPayloadHash(payload), PlaceSeed(seed, offset)) &&
      !VARVE_PLANTED_BUG("wal.checksum_not_compared")) {
    return false;
  }
  record->type = static_cast<WalRecordType>(type);
  record->count = count_and_type & kMaxWalRecordOps;
  record->payload = payload;
  record->offset = offset;
  return true;
}

void AppendWalOp(const WalOp& op, std::string* payload) {
  const size_t start = payload->size();
  payload->resize(start + WalOpBytes(op.kind, op.key.size(), op.value.size()));
  StoreWalOp(op, payload->data() + start);
}

bool WalOpReader::Next(WalOp* op) {
  if (is_malformed_) return false;
  if (rest_.empty() || left_ == 0) {
    is_malformed_ = !rest_.empty() || left_ != 0;
    return false;
  }
  op->kind = static_cast<uint8_t>(rest_.front());
  op->value = {};
  rest_.remove_prefix(1);
  --left_;
  is_malformed_ = op->kind > static_cast<uint8_t>(EntryKind::kExpiringPointer) ||
                  !ConsumeLengthPrefixed(&rest_, &op->key) ||
                  (op->kind != static_cast<uint8_t>(EntryKind::kDelete) &&
                   !ConsumeLengthPrefixed(&rest_, &op->value)) ||
                  (op->kind > kDeleteRangeOp && op->value.size() < kDeadlineBytes);
  return !is_malformed_;
}

}  // namespace varve
