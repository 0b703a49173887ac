// The write-ahead log: bytes <-> records. When to roll, sync or recycle a log is the engine's
// business.
//
// File header of 64 bytes, then records at multiples of 8:
//
//   u32 checksum | u32 payload bytes | u64 first sequence | u32 synced offset | u32 type << 28 |
//   count | payload | zeros up to a multiple of 8
//
// The checksum covers the other header fields, the payload and the place, and is seeded by log
// number and salt: a record of an earlier use of a recycled file never passes. docs/formats/wal.md.
//
// Who reads the log must tell three ends from each other; see WalReader.
#ifndef VARVE_FORMAT_WAL_H_
#define VARVE_FORMAT_WAL_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/hash.h"
#include "base/planted_bug.h"
#include "format/expiry.h"
#include "format/internal_key.h"
#include "varve/status.h"

namespace varve {

inline constexpr size_t kWalFileHeaderBytes = 64;
inline constexpr size_t kWalRecordHeaderBytes = 24;
// Offsets in a log fit 32 bits.
inline constexpr uint64_t kMaxWalBytes = (uint64_t{1} << 32) - 8;
inline constexpr uint64_t kMaxWalPayloadBytes = (uint64_t{1} << 30) + (uint64_t{1} << 20);
inline constexpr uint32_t kMaxWalRecordOps = (uint32_t{1} << 28) - 1;

// --- File header.

struct WalFileHeader {
  uint32_t format_version = 0;
  uint64_t log_number = 0;
  uint64_t salt = 0;  // random for each use of a file
  // The log before this one; 0 when there was none.
  uint64_t previous_log_number = 0;
  // Where its records ended; 0 when unknown.
  uint64_t previous_end_offset = 0;
  // All of it was durable when this log was begun.
  bool previous_is_synced = false;

  // Seeds the checksums of the records.
  uint64_t seed() const {
    return VARVE_PLANTED_BUG("wal.records_of_an_earlier_use_accepted") ? 0 : salt ^ log_number;
  }

  friend bool operator==(const WalFileHeader&, const WalFileHeader&) = default;
};

// Writes kWalFileHeaderBytes. The version is this library's, whatever `header` says.
void EncodeWalFileHeader(const WalFileHeader& header, char* to);

// Reads the header of log `log_number` from the first bytes of its file.
//   kNotFound      zeros, or the intact header of another log: a file whose new use never began
//   kNotSupported  of a newer version
//   kCorruption    anything else
Result<WalFileHeader> DecodeWalFileHeader(std::string_view image, uint64_t log_number);

// --- Records.

// Reaches disk: never renumber. 0 is no type, so that zeros are never a record.
enum class WalRecordType : uint8_t {
  kBatch = 1,  // changes
  kMark = 2,   // no payload: carries only `synced_offset`; also the last record of an orderly close
};

struct WalRecord {
  WalRecordType type = WalRecordType::kBatch;
  // Of the first change; the others follow one by one. In a mark: the writer's last sequence
  // number.
  SequenceNumber first_sequence = 0;
  uint32_t count = 0;  // changes in the payload
  // Bytes of this log, from its start, that were known to be durable when the record was made.
  uint32_t synced_offset = 0;
  std::string_view payload;
  uint64_t offset = 0;  // of the record in the log; not stored
};

// Bytes that a record takes in the log, padding included.
inline uint64_t WalRecordBytes(uint64_t payload_bytes) {
  return (kWalRecordHeaderBytes + payload_bytes + 7) & ~uint64_t{7};
}

// The part of a record's checksum that reads the payload: for computing outside a lock.
inline uint64_t WalPayloadHash(std::string_view payload) { return Hash64(payload); }

struct WalHeaderFields {
  WalRecordType type = WalRecordType::kBatch;
  uint32_t payload_bytes = 0;
  SequenceNumber first_sequence = 0;
  uint32_t synced_offset = 0;
  uint32_t count = 0;
};

namespace internal {
inline uint32_t WalChecksum(uint64_t lengths_and_type, uint64_t first_sequence,
                            uint32_t synced_offset, uint64_t payload_hash, uint64_t place_seed) {
  const auto mix = [](uint64_t a, uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  const uint64_t a = mix(payload_hash ^ 0x9E3779B97F4A7C15ull, place_seed | 1);
  const uint64_t b =
      mix(lengths_and_type ^ 0xC2B2AE3D27D4EB4Full, first_sequence ^ 0xD6E8FEB86659FD93ull);
  const uint64_t c = (a ^ b ^ synced_offset) * 0x9FB21C651E98DF25ull + place_seed;
  return static_cast<uint32_t>(mix(c ^ (c >> 29), 0xA0761D6478BD642Full));
}
}  // namespace internal

// Writes the kWalRecordHeaderBytes of a record at `offset` of the log whose header has `seed()`.
// The payload follows it, then zeros. A few nanoseconds. REQUIRES: the limits above; a mark has
// neither payload nor count.
inline void EncodeWalRecordHeader(const WalHeaderFields& fields, uint64_t payload_hash,
                                  uint64_t seed, uint64_t offset, char* to) {
  const uint32_t count_and_type = fields.count | static_cast<uint32_t>(fields.type) << 28;
  StoreFixed(to + 4, fields.payload_bytes);
  StoreFixed(to + 8, fields.first_sequence);
  StoreFixed(to + 16, fields.synced_offset);
  StoreFixed(to + 20, count_and_type);
  StoreFixed(
      to, internal::WalChecksum(static_cast<uint64_t>(count_and_type) << 32 | fields.payload_bytes,
                                fields.first_sequence, fields.synced_offset, payload_hash,
                                PlaceSeed(seed, offset)));
}

// Appends a whole record to `*log`, which holds the log from its start. For tools and tests.
void AppendWalRecord(const WalHeaderFields& fields, std::string_view payload, uint64_t seed,
                     std::string* log);

// Decodes the record at `offset` of `image`. False when there is no valid record of the log there.
bool DecodeWalRecord(std::string_view image, uint64_t offset, uint64_t seed, WalRecord* record);

// --- Changes in a payload.

struct WalOp {
  uint8_t kind = 0;  // an EntryKind, or kDeleteRangeOp
  std::string_view key;
  // Empty for kDelete; the end of the range for kDeleteRangeOp; with its deadline for the expiring kinds.
  std::string_view value;
};

inline size_t WalOpBytes(uint8_t kind, size_t key_bytes, size_t value_bytes) {
  const size_t key_part = 1 + static_cast<size_t>(VarintLength(key_bytes)) + key_bytes;
  if (kind == static_cast<uint8_t>(EntryKind::kDelete)) return key_part;
  return key_part + static_cast<size_t>(VarintLength(value_bytes)) + value_bytes;
}

// Writes the change and returns the byte after it. REQUIRES: WalOpBytes of room.
inline char* StoreWalOp(const WalOp& op, char* to) {
  *to++ = static_cast<char>(op.kind);
  to = StoreVarint(to, op.key.size());
  CopyBytes(to, op.key);
  to += op.key.size();
  if (op.kind == static_cast<uint8_t>(EntryKind::kDelete)) return to;
  to = StoreVarint(to, op.value.size());
  CopyBytes(to, op.value);
  return to + op.value.size();
}
// The same for a change of an expiring kind whose `op.value` is still without the word of its deadline
// (expiry.h). Sets `op->value` to the stored value, where it lies in the payload. REQUIRES: WalOpBytes of
// room for a value longer by kDeadlineBytes.
inline char* StoreExpiringWalOp(uint64_t deadline_word, WalOp* op, char* to) {
  *to++ = static_cast<char>(op->kind);
  to = StoreVarint(to, op->key.size());
  CopyBytes(to, op->key);
  to += op->key.size();
  to = StoreVarint(to, op->value.size() + kDeadlineBytes);
  char* const stored = to;
  StoreFixed(to, deadline_word);
  to += kDeadlineBytes;
  CopyBytes(to, op->value);
  to += op->value.size();
  op->value = {stored, static_cast<size_t>(to - stored)};
  return to;
}
void AppendWalOp(const WalOp& op, std::string* payload);

// Iterates over the changes of a payload; views point into it. Bounds-checked.
//   WalOpReader ops(record.payload, record.count);
//   for (WalOp op; ops.Next(&op);) ...
//   if (!ops.ok()) ...the payload is malformed, or holds another number of changes
class WalOpReader {
 public:
  WalOpReader(std::string_view payload, uint32_t count) : rest_(payload), left_(count) {}
  bool Next(WalOp* op);
  bool ok() const { return !is_malformed_; }

 private:
  std::string_view rest_;
  uint32_t left_;
  bool is_malformed_ = false;
};

// --- Reading a log.

enum class WalReadResult {
  kRecord,   // there is a record
  kEnd,      // the log ends here: zeros, or what an earlier use of the file left
  kTorn,     // a record was begun here and is not whole; nothing says that it was ever durable
  kCorrupt,  // the record here is damaged although it was durable; see status()
};

// Reads the records of a log in order, from an image of the whole file. Thread-compatible.
//
// The first position without a valid record ends the log, and is rot rather than the end when
// anything proves that bytes beyond it had been durable: the watermark that the caller knows, the
// `synced_offset` of a record before it, or of any valid record after it. For that proof the rest
// of the image is searched at steps of 8; the search hashes a bounded number of bytes, so that
// values made to look like records cannot make it long.
class WalReader {
 public:
  // `image` must outlive the reader and the records. `durable_offset`: bytes of the log that are
  // known to have been durable, for example from the header of the next log; 0: unknown.
  WalReader(std::string_view image, const WalFileHeader& header, uint64_t durable_offset = 0);

  // After anything but kRecord, every further call returns the same.
  WalReadResult Next(WalRecord* record);

  // Where the next record would be: after the end, the end of the records.
  uint64_t offset() const { return offset_; }
  // kCorruption after kCorrupt, naming log and offset; OK otherwise.
  Status status() const;

 private:
  WalReadResult JudgeEnd() const;
  // True when a valid record after `offset_` says that the log was durable beyond `offset_`.
  bool LaterRecordProvesDurable() const;

  const std::string_view image_;
  const WalFileHeader header_;
  uint64_t durable_offset_;
  uint64_t offset_ = kWalFileHeaderBytes;
  SequenceNumber last_sequence_ = 0;
  WalReadResult result_ = WalReadResult::kRecord;
};

}  // namespace varve

#endif  // VARVE_FORMAT_WAL_H_
