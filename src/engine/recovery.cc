#include "engine/recovery.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "format/filename.h"

namespace varve {

Result<std::vector<uint64_t>> LogReplay::ListLogs(uint64_t oldest) {
  VARVE_ASSIGN_OR_RETURN(auto names, env_->ListDir(dir_));
  std::vector<uint64_t> numbers;
  for (const std::string& name : names) {
    const auto parsed = ParseFileName(name);
    if (parsed && parsed->type == FileType::kWal && parsed->number >= oldest) {
      numbers.push_back(parsed->number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<std::string> LogReplay::ReadLog(uint64_t number) {
  VARVE_ASSIGN_OR_RETURN(auto file, env_->OpenRandomAccess(JoinPath(dir_, WalFileName(number))));
  VARVE_ASSIGN_OR_RETURN(uint64_t size, file->Size());
  std::string image(size, '\0');
  VARVE_ASSIGN_OR_RETURN(size_t got, file->Read(0, image.size(), image.data()));
  image.resize(got);
  return image;
}

Status LogReplay::JudgeBreak(const std::vector<uint64_t>& numbers, size_t next, uint64_t broken_log,
                             uint64_t broken_offset) {
  for (size_t i = next; i < numbers.size(); ++i) {
    VARVE_ASSIGN_OR_RETURN(std::string image, ReadLog(numbers[i]));
    auto header = DecodeWalFileHeader(image, numbers[i]);
    if (!header.ok()) continue;
    bool proves = header->previous_is_synced && !(header->previous_log_number == broken_log &&
                                                  header->previous_end_offset <= broken_offset);
    WalReader reader(image, *header);
    WalRecord record;
    while (!proves && reader.Next(&record) == WalReadResult::kRecord) proves = record.synced_offset > 0;
    if (!proves) continue;
    return Status::Corruption(
        JoinPath(dir_, WalFileName(broken_log)) + ": the log breaks off at offset " +
        std::to_string(broken_offset) + ", but log " + std::to_string(numbers[i]) +
        " shows that what followed had been synced");
  }
  return Status::Ok();
}

Status LogReplay::ReplayOne(const Candidate& log, uint64_t durable_offset,
                            const std::function<Result<bool>(const WalRecord&)>& is_whole,
                            const ApplyOp& apply) {
  // First everything that is intact, with the furthest point that is known to have been durable.
  std::vector<WalRecord> records;
  WalReader reader(log.image, log.header, durable_offset);
  WalRecord record;
  WalReadResult result;
  while ((result = reader.Next(&record)) == WalReadResult::kRecord) {
    durable_offset = std::max<uint64_t>(durable_offset, record.synced_offset);
    records.push_back(record);
  }
  if (result == WalReadResult::kCorrupt) {
    return reader.status().WithContext(JoinPath(dir_, WalFileName(log.number)));
  }
  // Intact records of this log may lie behind a hole that a loss of power has left. They are not part of
  // history, and must not come to stand behind new ones.
  if (VARVE_PLANTED_BUG("replay.drops_the_last_record") && !records.empty()) records.pop_back();
  const bool nothing_behind =
      VARVE_PLANTED_BUG("replay.records_behind_a_hole") ||
      log.image.find_first_not_of('\0', static_cast<size_t>(reader.offset())) == std::string::npos;
  ReplayedLog done{log.number, reader.offset(), result == WalReadResult::kEnd && nothing_behind,
                   log.header};
  for (const WalRecord& intact : records) {
    if (intact.type == WalRecordType::kMark) continue;
    if (intact.offset >= durable_offset) {
      VARVE_ASSIGN_OR_RETURN(const bool whole, is_whole(intact));
      if (!whole) {
        done.end = intact.offset;
        done.ended_clean = false;
        break;
      }
    }
    WalOpReader ops(intact.payload, intact.count);
    SequenceNumber sequence = intact.first_sequence;
    for (WalOp op; ops.Next(&op); ++sequence) {
      if (VARVE_PLANTED_BUG("replay.half_a_batch") && sequence != intact.first_sequence) continue;
      VARVE_RETURN_IF_ERROR(apply(sequence, op));
    }
    if (!ops.ok()) {
      return Status::Corruption(JoinPath(dir_, WalFileName(log.number)) + " at offset " +
                                std::to_string(intact.offset) + ": malformed record");
    }
    last_sequence_ = sequence - 1;
  }
  replayed_.push_back(done);
  return Status::Ok();
}

Status LogReplay::Run(uint64_t oldest, const DurableLog& durable, const BeginLog& begin,
                      const std::function<Result<bool>(const WalRecord&)>& is_whole,
                      const ApplyOp& apply) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, ListLogs(oldest));
  const auto missing = [&] {
    return Status::Corruption(JoinPath(dir_, WalFileName(durable.number)) +
                              ": the log is missing, or its header is damaged, although " +
                              std::to_string(durable.end) + " bytes of it had been synced");
  };
  // The name of the oldest log was made durable before the manifest named it.
  if (oldest != 0 && (numbers.empty() || numbers.front() != oldest)) {
    return Status::Corruption(JoinPath(dir_, WalFileName(oldest)) +
                              ": the manifest names this log, and it is missing");
  }
  const bool must_exist = durable.number >= std::max<uint64_t>(oldest, 1) && durable.end > 0;
  bool met_durable = false;
  for (size_t i = 0; i < numbers.size(); ++i) {
    Candidate log;
    log.number = numbers[i];
    VARVE_ASSIGN_OR_RETURN(log.image, ReadLog(log.number));
    auto header = DecodeWalFileHeader(log.image, log.number);
    const std::string path = JoinPath(dir_, WalFileName(log.number));
    if (!header.ok() && header.status().code() == StatusCode::kNotSupported) {
      return header.status().WithContext(path);
    }
    if (!header.ok()) {
      // Either its use never began, or the header is damaged. A log that is known to have been durable
      // may not be damaged; whether another one matters shows in the logs that follow.
      if (must_exist && log.number == durable.number) return missing();
      continue;
    }
    log.header = *header;
    const bool chained = replayed_.empty()
                             ? log.number == oldest || oldest == 0
                             : log.header.previous_log_number == replayed_.back().number &&
                                   log.header.previous_end_offset == replayed_.back().end;
    if (!chained && !VARVE_PLANTED_BUG("replay.does_not_look_at_the_chain")) {
      const uint64_t broken_log = replayed_.empty() ? oldest : replayed_.back().number;
      const uint64_t broken_at = replayed_.empty() ? 0 : replayed_.back().end;
      VARVE_RETURN_IF_ERROR(JudgeBreak(numbers, i, broken_log, broken_at));
      continue;
    }
    uint64_t durable_offset = log.number == durable.number ? durable.end : 0;
    met_durable |= log.number == durable.number;
    if (i + 1 < numbers.size()) {
      VARVE_ASSIGN_OR_RETURN(const uint64_t shown, ShownDurable(numbers[i + 1], log.number));
      durable_offset = std::max(durable_offset, shown);
    }
    VARVE_RETURN_IF_ERROR(begin(log.number));
    VARVE_RETURN_IF_ERROR(ReplayOne(log, durable_offset, is_whole, apply));
  }
  if (must_exist && !met_durable) return missing();
  return Status::Ok();
}

Result<uint64_t> LogReplay::ShownDurable(uint64_t next, uint64_t number) {
  VARVE_ASSIGN_OR_RETURN(auto file, env_->OpenRandomAccess(JoinPath(dir_, WalFileName(next))));
  char bytes[kWalFileHeaderBytes];
  VARVE_ASSIGN_OR_RETURN(size_t got, file->Read(0, sizeof(bytes), bytes));
  auto header = DecodeWalFileHeader({bytes, got}, next);
  if (!header.ok() || header->previous_log_number != number || !header->previous_is_synced) {
    return uint64_t{0};
  }
  return header->previous_end_offset;
}

}  // namespace varve
