#include "format/backup_stream.h"

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve {

namespace {

// A frame is read in such steps, so that a length that lies costs no memory.
constexpr size_t kReadStepBytes = size_t{4} << 20;

Status Damaged(const std::string& what, uint64_t offset) {
  return Status::Corruption("backup: " + what + " at offset " + std::to_string(offset));
}

Status ReadTooMuch() { return Status::InvalidArgument("a source has read more than it was asked for"); }

// Whether the stream has data of `file`. A file that is wholly in the backup before has none.
bool IsCarried(const BackupFile& file) { return file.from < file.bytes; }

}  // namespace

// --- Writing.

BackupWriter::BackupWriter(BackupSink* sink, const BackupHeader& header)
    : sink_(sink),
      header_(header),
      frame_(std::make_unique<char[]>(kBackupFrameHeaderBytes + kMaxBackupDataBytes)) {
  counted_.stream_bytes = kBackupHeaderBytes;
}

Status BackupWriter::Append(BackupFrameType type, char* frame, size_t payload_bytes) {
  BackupFrameHeader header{type, static_cast<uint32_t>(payload_bytes), 0};
  header.checksum =
      EncodeBackupFrameHeader(type, {frame + kBackupFrameHeaderBytes, payload_bytes}, header_.id,
                              counted_.stream_bytes, frame);
  counted_.Add(header);
  return sink_->Append({frame, kBackupFrameHeaderBytes + payload_bytes});
}

Status BackupWriter::Begin(std::string_view encoded_plan) {
  VARVE_CHECK(encoded_plan.size() <= kMaxBackupPlanBytes);
  char header[kBackupHeaderBytes];
  EncodeBackupHeader(header_, header);
  VARVE_RETURN_IF_ERROR(sink_->Append({header, sizeof(header)}));
  std::string frame(kBackupFrameHeaderBytes, '\0');
  frame += encoded_plan;
  return Append(BackupFrameType::kPlan, frame.data(), encoded_plan.size());
}

Status BackupWriter::BeginFile(size_t index) {
  char* end = StoreVarint(data(), index);
  return Append(BackupFrameType::kFile, frame_.get(), static_cast<size_t>(end - data()));
}

Status BackupWriter::AppendData(size_t size) {
  VARVE_CHECK(size > 0 && size <= kMaxBackupDataBytes);
  return Append(BackupFrameType::kData, frame_.get(), size);
}

Status BackupWriter::End() {
  EncodeBackupEnd(counted_, data());
  return Append(BackupFrameType::kEnd, frame_.get(), kBackupEndPayloadBytes);
}

// --- Reading.

BackupReader::BackupReader(BackupSource* source) : source_(source) {
  counted_.stream_bytes = kBackupHeaderBytes;
}

Status BackupReader::ReadAll(char* to, size_t size) {
  while (size > 0) {
    VARVE_ASSIGN_OR_RETURN(const size_t got, source_->Read(to, size));
    if (got == 0) return Damaged("it is cut off in what begins", counted_.stream_bytes);
    if (got > size) return ReadTooMuch();
    to += got;
    size -= got;
  }
  return Status::Ok();
}

Result<BackupFrameType> BackupReader::ReadFrame() {
  const uint64_t offset = counted_.stream_bytes;
  char bytes[kBackupFrameHeaderBytes];
  VARVE_RETURN_IF_ERROR(ReadAll(bytes, sizeof(bytes)));
  const auto header = DecodeBackupFrameHeader({bytes, sizeof(bytes)});
  if (!header.ok()) return Damaged("it is damaged", offset);
  for (size_t done = 0; done < header->payload_bytes;) {
    const size_t step = std::min(header->payload_bytes - done, kReadStepBytes);
    payload_.resize(done + step);
    VARVE_RETURN_IF_ERROR(ReadAll(payload_.data() + done, step));
    done += step;
  }
  payload_.resize(header->payload_bytes);
  if (!CheckBackupFrame(*header, payload_, header_.id, offset)) return Damaged("it is damaged", offset);
  counted_.Add(*header);
  return header->type;
}

Status BackupReader::Begin() {
  char bytes[kBackupHeaderBytes];
  size_t got = 0;
  while (got < sizeof(bytes)) {
    VARVE_ASSIGN_OR_RETURN(const size_t more, source_->Read(bytes + got, sizeof(bytes) - got));
    if (more == 0) break;
    if (more > sizeof(bytes) - got) return ReadTooMuch();
    got += more;
  }
  VARVE_ASSIGN_OR_RETURN(header_, DecodeBackupHeader({bytes, got}));
  VARVE_ASSIGN_OR_RETURN(const BackupFrameType type, ReadFrame());
  if (type != BackupFrameType::kPlan) return Damaged("there is no plan", kBackupHeaderBytes);
  encoded_plan_ = payload_;
  VARVE_ASSIGN_OR_RETURN(plan_, DecodeBackupPlan(encoded_plan_));
  for (const BackupFile& file : plan_.files) {
    if (header_.since == 0 && file.from != 0) {
      return Damaged("a full backup lacks part of a file", kBackupHeaderBytes);
    }
  }
  return Status::Ok();
}

Status BackupReader::CheckFileIsWhole() const {
  if (!has_file_ || file_end_ == plan_.files[file_].bytes) return Status::Ok();
  return Damaged(BackupFileName(plan_.files[file_]) + " is not whole", counted_.stream_bytes);
}

Result<BackupReader::Event> BackupReader::BeginFile() {
  VARVE_RETURN_IF_ERROR(CheckFileIsWhole());
  std::string_view rest = payload_;
  uint64_t index;
  if (!ConsumeVarint(&rest, &index) || !rest.empty()) {
    return Damaged("a file frame is malformed", counted_.stream_bytes);
  }
  while (next_file_ < plan_.files.size() && !IsCarried(plan_.files[next_file_])) ++next_file_;
  if (index != next_file_ || index >= plan_.files.size()) {
    return Damaged("another file than the plan says begins", counted_.stream_bytes);
  }
  file_ = next_file_++;
  file_end_ = plan_.files[file_].from;
  has_file_ = true;
  return Event::kFile;
}

Result<BackupReader::Event> BackupReader::Finish(const BackupEnd& counted) {
  VARVE_RETURN_IF_ERROR(CheckFileIsWhole());
  for (; next_file_ < plan_.files.size(); ++next_file_) {
    if (!IsCarried(plan_.files[next_file_])) continue;
    return Damaged("it ends before " + BackupFileName(plan_.files[next_file_]), counted.stream_bytes);
  }
  VARVE_ASSIGN_OR_RETURN(const BackupEnd end, DecodeBackupEnd(payload_));
  if (!(end == counted)) return Damaged("its end does not fit it", counted.stream_bytes);
  char byte;
  VARVE_ASSIGN_OR_RETURN(const size_t behind, source_->Read(&byte, 1));
  if (behind != 0) return Damaged("something follows its end", counted_.stream_bytes);
  return Event::kEnd;
}

Result<BackupReader::Event> BackupReader::Next() {
  const BackupEnd counted = counted_;
  VARVE_ASSIGN_OR_RETURN(const BackupFrameType type, ReadFrame());
  if (type == BackupFrameType::kFile) return BeginFile();
  if (type == BackupFrameType::kEnd) return Finish(counted);
  if (type != BackupFrameType::kData || !has_file_ ||
      payload_.size() > plan_.files[file_].bytes - file_end_) {
    return Damaged("a frame that does not belong there begins", counted.stream_bytes);
  }
  file_end_ += payload_.size();
  return Event::kData;
}

// --- Summaries.

BackupSummary SummaryOf(const BackupHeader& header, const BackupPlan& plan,
                        std::string_view encoded_plan) {
  BackupSummary summary;
  summary.id = header.id;
  summary.since = header.since;
  summary.sequence = plan.edit.last_sequence.value_or(0);
  summary.created_millis = header.created_millis;
  summary.file_count = plan.files.size();
  for (const BackupFile& file : plan.files) {
    summary.store_bytes += file.bytes;
    summary.carried_bytes += file.bytes - file.from;
  }
  summary.state = encoded_plan;
  return summary;
}

Result<BackupPlan> PlanOf(const BackupSummary& summary) { return DecodeBackupPlan(summary.state); }

}  // namespace varve
