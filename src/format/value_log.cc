#include "format/value_log.h"

#include <string>

#include "base/check.h"
#include "base/coding.h"
#include "base/planted_bug.h"
#include "format/newer_format.h"
#include "varve/version.h"

namespace varve {

namespace {

constexpr std::string_view kFileMagic = "VARVEVAL";
constexpr uint32_t kRecordMagic = 0x564c5256;  // "VRLV": and no flags so far

Status DamagedFile(uint64_t file_number, const std::string& what) {
  return Status::Corruption("value log " + std::to_string(file_number) + ": " + what);
}
Status DamagedRecord(uint64_t file_number, uint64_t offset, const std::string& what) {
  return DamagedFile(file_number, "record at offset " + std::to_string(offset) + ": " + what);
}

uint64_t RecordChecksum(std::string_view key, uint64_t value_bytes, uint64_t value_hash,
                        uint64_t file_number, uint64_t offset) {
  char fields[24];
  StoreFixed(fields, static_cast<uint64_t>(key.size()) << 32 | kRecordMagic);
  StoreFixed(fields + 8, value_bytes);
  StoreFixed(fields + 16, value_hash);
  return Hash64({fields, sizeof(fields)}, Hash64(key, PlaceSeed(file_number, offset)));
}

}  // namespace

void EncodeValueLogFileHeader(uint64_t file_number, char* to) {
  std::memcpy(to, kFileMagic.data(), kFileMagic.size());
  StoreFixed(to + 8, kFormatVersion);
  StoreFixed(to + 12, uint32_t{0});
  StoreFixed(to + 16, file_number);
  StoreFixed(to + 24, Hash64({to, 24}, PlaceSeed(file_number, 0)));
}

Status CheckValueLogFileHeader(std::string_view bytes, uint64_t file_number) {
  if (bytes.size() < kValueLogFileHeaderBytes || bytes.substr(0, kFileMagic.size()) != kFileMagic) {
    return DamagedFile(file_number, "does not begin like a value log");
  }
  const uint64_t checksum = Hash64(bytes.substr(0, 24), PlaceSeed(file_number, 0));
  if (LoadFixed<uint64_t>(bytes.data() + 16) != file_number ||
      LoadFixed<uint64_t>(bytes.data() + 24) != checksum) {
    return DamagedFile(file_number, "file header is damaged, or of another file");
  }
  const uint32_t version = LoadFixed<uint32_t>(bytes.data() + 8);
  if (version > kFormatVersion) {
    return NewerFormat("value log " + std::to_string(file_number), version);
  }
  return Status::Ok();
}

void EncodeValueLogRecordHeader(std::string_view key, uint64_t value_bytes, uint64_t value_hash,
                                uint64_t file_number, uint64_t offset, char* to) {
  VARVE_CHECK(key.size() <= kMaxValueLogKeyBytes && value_bytes <= kMaxValueLogValueBytes);
  StoreFixed(to, kRecordMagic);
  StoreFixed(to + 4, static_cast<uint32_t>(key.size()));
  StoreFixed(to + 8, value_bytes);
  StoreFixed(to + 16, RecordChecksum(key, value_bytes, value_hash, file_number, offset));
}

bool PeekValueLogRecord(const char* header, uint64_t* key_bytes, uint64_t* value_bytes) {
  *key_bytes = LoadFixed<uint32_t>(header + 4);
  *value_bytes = LoadFixed<uint64_t>(header + 8);
  return LoadFixed<uint32_t>(header) == kRecordMagic && *key_bytes <= kMaxValueLogKeyBytes &&
         *value_bytes <= kMaxValueLogValueBytes;
}

Result<ValueLogRecord> DecodeValueLogRecord(std::string_view bytes, uint64_t file_number,
                                            uint64_t offset) {
  uint64_t key_bytes, value_bytes;
  if (bytes.size() < kValueLogRecordHeaderBytes) {
    return DamagedRecord(file_number, offset, "cut off");
  }
  if (!PeekValueLogRecord(bytes.data(), &key_bytes, &value_bytes)) {
    return DamagedRecord(file_number, offset, "no record begins here");
  }
  if (key_bytes + value_bytes > bytes.size() - kValueLogRecordHeaderBytes) {
    return DamagedRecord(file_number, offset, "cut off");
  }
  ValueLogRecord record;
  record.key = bytes.substr(kValueLogRecordHeaderBytes, key_bytes);
  record.value = bytes.substr(kValueLogRecordHeaderBytes + key_bytes, value_bytes);
  record.record_bytes = ValueLogRecordBytes(key_bytes, value_bytes);
  if (LoadFixed<uint64_t>(bytes.data() + 16) != RecordChecksum(record.key, value_bytes,
                                                               ValueLogValueHash(record.value),
                                                               file_number, offset) &&
      !VARVE_PLANTED_BUG("value_log.checksum_not_compared")) {
    return DamagedRecord(file_number, offset, "checksum does not match");
  }
  return record;
}

Result<ValueLogRecord> DecodeValueLogRecord(std::string_view bytes, const ValuePointer& pointer) {
  Result<ValueLogRecord> record = DecodeValueLogRecord(bytes, pointer.file_number, pointer.offset);
  if (record.ok() &&
      (record->key.size() != pointer.key_bytes || record->value.size() != pointer.value_bytes)) {
    return DamagedRecord(pointer.file_number, pointer.offset,
                         "is not as large as its pointer says");
  }
  return record;
}

}  // namespace varve
