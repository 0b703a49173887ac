// How a log ends. See WalReader in wal.h.
#include <algorithm>

#include "base/planted_bug.h"
#include "format/wal.h"

namespace varve {

namespace {

// The fewest bytes a change takes: its kind and an empty key.
constexpr uint64_t kMinOpBytes = 2;

// What the search for later records may hash: ample for the records of any real log, which are
// disjoint, and a bound on what values made to look like headers can cost.
uint64_t HashBudget(uint64_t image_bytes) { return 2 * image_bytes + (uint64_t{64} << 20); }

struct RawHeader {
  uint64_t payload_bytes;
  SequenceNumber first_sequence;
  uint64_t synced_offset;
  uint32_t type;
  uint32_t count;

  explicit RawHeader(const char* from)
      : payload_bytes(LoadFixed<uint32_t>(from + 4)),
        first_sequence(LoadFixed<uint64_t>(from + 8)),
        synced_offset(LoadFixed<uint32_t>(from + 16)),
        type(LoadFixed<uint32_t>(from + 20) >> 28),
        count(LoadFixed<uint32_t>(from + 20) & kMaxWalRecordOps) {}

  // What every record fulfils and few other bytes do.
  bool IsPlausible() const {
    if (first_sequence > kMaxSequence) return false;
    if (type == static_cast<uint32_t>(WalRecordType::kMark)) {
      return payload_bytes == 0 && count == 0;
    }
    return type == static_cast<uint32_t>(WalRecordType::kBatch) && count > 0 &&
           count * kMinOpBytes <= payload_bytes && payload_bytes <= kMaxWalPayloadBytes;
  }
};

}  // namespace

WalReader::WalReader(std::string_view image, const WalFileHeader& header, uint64_t durable_offset)
    : image_(image), header_(header), durable_offset_(durable_offset) {}

WalReadResult WalReader::Next(WalRecord* record) {
  if (result_ != WalReadResult::kRecord) return result_;
  if (!DecodeWalRecord(image_, offset_, header_.seed(), record)) {
    result_ = JudgeEnd();
    return result_;
  }
  durable_offset_ = std::max<uint64_t>(durable_offset_, record->synced_offset);
  last_sequence_ = record->first_sequence;
  offset_ += WalRecordBytes(record->payload.size());
  return WalReadResult::kRecord;
}

WalReadResult WalReader::JudgeEnd() const {
  if (offset_ < durable_offset_ || LaterRecordProvesDurable()) return WalReadResult::kCorrupt;
  if (offset_ > image_.size() || image_.size() - offset_ < kWalRecordHeaderBytes) {
    // The last record was whole, but for the zeros after it perhaps.
    return WalReadResult::kEnd;
  }
  // What an earlier use of the file left has sequence numbers of the past; what is newer was begun
  // here. Without a record before, nothing tells the two apart, and nothing depends on it.
  const RawHeader header(image_.data() + offset_);
  const bool was_begun_here =
      last_sequence_ != 0 && header.IsPlausible() && header.first_sequence > last_sequence_;
  return was_begun_here ? WalReadResult::kTorn : WalReadResult::kEnd;
}

bool WalReader::LaterRecordProvesDurable() const {
  if (VARVE_PLANTED_BUG("wal.damage_taken_for_the_end")) return false;
  if (image_.size() < kWalRecordHeaderBytes) return false;
  const uint64_t last = image_.size() - kWalRecordHeaderBytes;
  uint64_t budget = HashBudget(image_.size());
  for (uint64_t at = offset_ + 8; at <= last; at += 8) {
    const char* from = image_.data() + at;
    if (LoadFixed<uint32_t>(from + 20) == 0) continue;  // most of what is searched is zeros
    const RawHeader header(from);
    if (header.synced_offset <= offset_ || header.synced_offset > at || !header.IsPlausible() ||
        header.payload_bytes > last - at || header.payload_bytes > budget) {
      continue;
    }
    budget -= header.payload_bytes;
    WalRecord record;
    if (DecodeWalRecord(image_, at, header_.seed(), &record)) return true;
  }
  return false;
}

Status WalReader::status() const {
  if (result_ != WalReadResult::kCorrupt) return Status::Ok();
  return Status::Corruption("log " + std::to_string(header_.log_number) +
                            ": damaged record at offset " + std::to_string(offset_) +
                            ", below what was known to be durable");
}

}  // namespace varve
