// The value log: large values, each with its key, in records that segments and write-ahead logs
// point to. File header of 32 bytes, then records at multiples of 8:
//
//   u32 magic | u32 key bytes | u64 value bytes | u64 checksum | key | value | zeros up to a
//   multiple of 8
//
// The checksum covers key, value, both lengths and the place of the record.
// docs/formats/value_log.md.
#ifndef VARVE_FORMAT_VALUE_LOG_H_
#define VARVE_FORMAT_VALUE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/hash.h"
#include "format/stored_key.h"
#include "format/value_pointer.h"
#include "varve/status.h"

namespace varve {

inline constexpr size_t kValueLogFileHeaderBytes = 32;
inline constexpr size_t kValueLogRecordHeaderBytes = 24;
// Bounds what a reader believes of a record header.
inline constexpr uint32_t kMaxValueLogKeyBytes = kMaxStoredKeyBytes;
inline constexpr uint64_t kMaxValueLogValueBytes = uint64_t{1} << 30;

// Writes kValueLogFileHeaderBytes.
void EncodeValueLogFileHeader(uint64_t file_number, char* to);
// kCorruption when damaged or of another file, kNotSupported when of a newer version.
Status CheckValueLogFileHeader(std::string_view bytes, uint64_t file_number);

// What a record takes in the file, padding included.
inline uint64_t ValueLogRecordBytes(uint64_t key_bytes, uint64_t value_bytes) {
  return (kValueLogRecordHeaderBytes + key_bytes + value_bytes + 7) & ~uint64_t{7};
}
inline uint64_t ValueLogRecordBytes(const ValuePointer& pointer) {
  return ValueLogRecordBytes(pointer.key_bytes, pointer.value_bytes);
}
// Offset of the value within the file.
inline uint64_t ValueLogValueOffset(const ValuePointer& pointer) {
  return pointer.offset + kValueLogRecordHeaderBytes + pointer.key_bytes;
}

// The part of the checksum that reads the whole value and does not depend on its place: a value is
// hashed once, outside any lock, also when its record moves later.
inline uint64_t ValueLogValueHash(std::string_view value) { return Hash64Long(value); }

// Writes the kValueLogRecordHeaderBytes of the record at `offset` of file `file_number`. The caller
// writes key, value and zeros after it.
void EncodeValueLogRecordHeader(std::string_view key, uint64_t value_bytes, uint64_t value_hash,
                                uint64_t file_number, uint64_t offset, char* to);

struct ValueLogRecord {
  std::string_view key;
  std::string_view value;
  uint64_t record_bytes = 0;  // to the next record
};

// The lengths in a record header that has not been verified, for reading the rest of the record.
// False when they are no header's. REQUIRES: kValueLogRecordHeaderBytes at `header`.
bool PeekValueLogRecord(const char* header, uint64_t* key_bytes, uint64_t* value_bytes);

// Verifies the record that begins at bytes[0] and at `offset` of file `file_number`; the views
// point into `bytes`. kCorruption, naming file and offset, when it is damaged, cut off, or not a
// record.
Result<ValueLogRecord> DecodeValueLogRecord(std::string_view bytes, uint64_t file_number,
                                            uint64_t offset);

// The same for the record that `pointer` points to, whose lengths must be the pointer's. `bytes`
// are at least the header, key and value.
Result<ValueLogRecord> DecodeValueLogRecord(std::string_view bytes, const ValuePointer& pointer);

}  // namespace varve

#endif  // VARVE_FORMAT_VALUE_LOG_H_
