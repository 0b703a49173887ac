// BackupWriter and BackupReader: the frames of a backup, into a sink and out of a source.
#ifndef VARVE_FORMAT_BACKUP_STREAM_H_
#define VARVE_FORMAT_BACKUP_STREAM_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "format/backup.h"
#include "varve/backup.h"

namespace varve {

// Calls in this order: Begin; for each file with something to carry, BeginFile and AppendData; End. After a
// failure none. Thread-compatible.
class BackupWriter {
 public:
  // `sink` is borrowed.
  BackupWriter(BackupSink* sink, const BackupHeader& header);

  // REQUIRES: the encoded plan is no longer than kMaxBackupPlanBytes.
  Status Begin(std::string_view encoded_plan);
  Status BeginFile(size_t index);
  // kMaxBackupDataBytes of room for the bytes that the next AppendData appends: without another copy.
  char* data() { return frame_.get() + kBackupFrameHeaderBytes; }
  Status AppendData(size_t size);
  Status End();

  uint64_t carried_bytes() const { return counted_.carried_bytes; }

 private:
  // `frame`: room for the header, and the payload.
  Status Append(BackupFrameType type, char* frame, size_t payload_bytes);

  BackupSink* const sink_;
  const BackupHeader header_;
  const std::unique_ptr<char[]> frame_;
  BackupEnd counted_;
};

// Reads a backup and believes nothing that it has not checked. After a failure it is not used any more.
// Thread-compatible.
class BackupReader {
 public:
  // `source` is borrowed.
  explicit BackupReader(BackupSource* source);

  // Reads up to the plan. First of all.
  Status Begin();
  const BackupHeader& header() const { return header_; }
  const BackupPlan& plan() const { return plan_; }
  const std::string& encoded_plan() const { return encoded_plan_; }

  enum class Event {
    kFile,  // data of plan().files[file()] follow, from its `from` on
    kData,  // data() are the next bytes of it; views hold until the next call
    kEnd,   // the backup is whole, and nothing follows it
  };
  Result<Event> Next();
  size_t file() const { return file_; }
  std::string_view data() const { return payload_; }
  uint64_t carried_bytes() const { return counted_.carried_bytes; }

 private:
  Status ReadAll(char* to, size_t size);
  // Into payload_.
  Result<BackupFrameType> ReadFrame();
  Result<Event> BeginFile();
  Status CheckFileIsWhole() const;
  Result<Event> Finish(const BackupEnd& counted);

  BackupSource* const source_;
  BackupHeader header_;
  BackupPlan plan_;
  std::string encoded_plan_;
  std::string payload_;
  BackupEnd counted_;
  size_t next_file_ = 0;  // none of those before is still to come
  size_t file_ = 0;
  uint64_t file_end_ = 0;  // bytes of file_ so far
  bool has_file_ = false;
};

// What a plan and its header say, as a summary. `carried_bytes` from the plan.
BackupSummary SummaryOf(const BackupHeader& header, const BackupPlan& plan,
                        std::string_view encoded_plan);
// The plan in a summary's state.
Result<BackupPlan> PlanOf(const BackupSummary& summary);

}  // namespace varve

#endif  // VARVE_FORMAT_BACKUP_STREAM_H_
