#include "engine/log_salvage.h"

#include <algorithm>

#include "base/status_macros.h"
#include "format/filename.h"

namespace varve {

namespace {

// What the search for the next record may hash.
uint64_t HashBudget(uint64_t image_bytes) { return 2 * image_bytes + (uint64_t{64} << 20); }

// The first valid record of the log from `from` on that is newer than `after`. False when there is none.
bool FindRecord(std::string_view image, uint64_t seed, uint64_t from, SequenceNumber after,
                WalRecord* record) {
  uint64_t budget = HashBudget(image.size());
  for (uint64_t at = from; at + kWalRecordHeaderBytes <= image.size(); at += 8) {
    const uint32_t count_and_type = LoadFixed<uint32_t>(image.data() + at + 20);
    const uint32_t type = count_and_type >> 28;
    if (type != static_cast<uint32_t>(WalRecordType::kBatch) &&
        type != static_cast<uint32_t>(WalRecordType::kMark)) {
      continue;
    }
    const uint64_t payload_bytes = LoadFixed<uint32_t>(image.data() + at + 4);
    if (payload_bytes > image.size() - at || payload_bytes > budget) continue;
    budget -= payload_bytes;
    if (!DecodeWalRecord(image, at, seed, record)) continue;
    // A mark repeats the last number.
    if (record->type == WalRecordType::kMark ? record->first_sequence >= after
                                             : record->first_sequence > after) {
      return true;
    }
  }
  return false;
}

}  // namespace

Status LogSalvage::Load(uint64_t number, Log* log, const OnDamage& on_damage) {
  log->number = number;
  log->path = JoinPath(dir_, WalFileName(number));
  const auto damaged = [&](const Status& status) {
    on_damage({log->path, 0, std::string(status.message()), 0, false});
    return Status::Ok();
  };
  auto file = env_->OpenRandomAccess(log->path);
  if (!file.ok()) return damaged(file.status());
  const auto size = (*file)->Size();
  if (!size.ok()) return damaged(size.status());
  log->image.resize(*size);
  auto got = (*file)->Read(0, log->image.size(), log->image.data());
  if (!got.ok()) return damaged(got.status());
  log->image.resize(*got);
  auto header = DecodeWalFileHeader(log->image, number);
  if (header.status().code() == StatusCode::kNotSupported) return header.status();
  if (header.status().IsNotFound()) return Status::Ok();  // its use never began
  if (header.ok()) {
    log->header = *header;
    log->is_usable = true;
    return Status::Ok();
  }
  // The damage may be elsewhere in the header than in the salt: then the first record checks.
  if (log->image.size() >= kWalFileHeaderBytes) {
    log->header.log_number = number;
    log->header.salt = LoadFixed<uint64_t>(log->image.data() + 24);
    WalRecord first;
    log->is_usable = DecodeWalRecord(log->image, kWalFileHeaderBytes, log->header.seed(), &first);
  }
  if (!log->is_usable) return damaged(header.status());
  on_damage({log->path, 0, std::string(header.status().message()), 0, /*is_harmless=*/true});
  return Status::Ok();
}

Status LogSalvage::Run(const std::vector<uint64_t>& numbers, const DurableLog& durable,
                       SequenceNumber known_sequence, const BeginLog& begin, const ApplyOp& apply,
                       const OnDamage& on_damage) {
  std::vector<Log> logs(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    VARVE_RETURN_IF_ERROR(Load(numbers[i], &logs[i], on_damage));
  }
  for (size_t i = 0; i < logs.size(); ++i) {
    if (!logs[i].is_usable) continue;
    uint64_t durable_end = durable.number == logs[i].number ? durable.end : 0;
    // Durable or not: what was there before the next log began is missing if it is not there now.
    if (i + 1 < logs.size() && logs[i + 1].is_usable &&
        logs[i + 1].header.previous_log_number == logs[i].number) {
      durable_end = std::max(durable_end, logs[i + 1].header.previous_end_offset);
    }
    const uint64_t before = logs[i].header.previous_log_number;
    const bool is_broken = i > 0 && before > numbers[0] &&
                           !std::binary_search(numbers.begin(), numbers.end(), before);
    if (is_broken && !has_open_damage_) {
      has_open_damage_ = true;
      open_damage_ = {JoinPath(dir_, WalFileName(before)), 0, "the log is missing", 0, false};
    }
    begin(logs[i].number);
    ReadRecords(logs[i], durable_end, apply, on_damage);
    logs[i].image = {};
  }
  if (has_open_damage_) {
    // Nothing came after it. At an orderly close it was noted how far history went.
    open_damage_.is_harmless = known_sequence != 0 && last_sequence_ >= known_sequence &&
                               durable.number != 0 && durable.number >= numbers.back();
    if (last_sequence_ != 0 && known_sequence > last_sequence_) {
      open_damage_.lost_changes = known_sequence - last_sequence_;
    }
    on_damage(open_damage_);
  }
  return Status::Ok();
}

void LogSalvage::Settle(SequenceNumber next, const OnDamage& on_damage) {
  if (!has_open_damage_) return;
  has_open_damage_ = false;
  // Before the first record nothing says which number should have been next.
  const bool is_known = last_sequence_ != 0;
  open_damage_.lost_changes = is_known && next > last_sequence_ + 1 ? next - last_sequence_ - 1 : 0;
  open_damage_.is_harmless = is_known && open_damage_.lost_changes == 0;
  on_damage(open_damage_);
}

void LogSalvage::TakeRecord(const Log& log, const WalRecord& record, const ApplyOp& apply,
                            const OnDamage& on_damage) {
  const bool is_mark = record.type == WalRecordType::kMark;
  const SequenceNumber next = is_mark ? record.first_sequence + 1 : record.first_sequence;
  if (!has_open_damage_ && last_sequence_ != 0 && next > last_sequence_ + 1) {
    has_open_damage_ = true;
    open_damage_ = {log.path, record.offset, "changes before this record are missing", 0, false};
  }
  Settle(next, on_damage);
  if (is_mark) {
    last_sequence_ = std::max(last_sequence_, record.first_sequence);
    return;
  }
  WalOpReader ops(record.payload, record.count);
  SequenceNumber sequence = record.first_sequence;
  for (WalOp op; ops.Next(&op); ++sequence) apply(sequence, op);
  last_sequence_ = std::max(last_sequence_, record.first_sequence + record.count - 1);
  if (!ops.ok()) {
    on_damage({log.path, record.offset, "malformed record",
               record.count - (sequence - record.first_sequence), false});
  }
}

void LogSalvage::ReadRecords(const Log& log, uint64_t durable_end, const ApplyOp& apply,
                             const OnDamage& on_damage) {
  uint64_t at = kWalFileHeaderBytes;
  WalRecord record;
  while (true) {
    const bool is_whole = DecodeWalRecord(log.image, at, log.header.seed(), &record);
    if (!is_whole) {
      const bool goes_on =
          FindRecord(log.image, log.header.seed(), at + 8, last_sequence_, &record);
      if (!goes_on && at >= durable_end) return;
      // Several places with nothing between them are one.
      if (!has_open_damage_) {
        has_open_damage_ = true;
        open_damage_ = {log.path, at, "damaged record, below what was known to be durable", 0, false};
      }
      if (!goes_on) return;
    }
    TakeRecord(log, record, apply, on_damage);
    at = record.offset + WalRecordBytes(record.payload.size());
  }
}

}  // namespace varve
