#include "engine/backup_point.h"

#include <string>

#include "base/coding.h"
#include "base/status_macros.h"
#include "format/wal.h"

namespace varve {

namespace {

// Reads forward through the first `end` bytes of a file, in large steps.
class ForwardReader {
 public:
  ForwardReader(const RandomAccessFile* file, uint64_t end) : file_(file), end_(end) {}

  // The next `size` bytes, or fewer at the end. Valid until the next call.
  Result<std::string_view> Read(size_t size) {
    if (buffer_.size() - at_ < size) {
      buffer_.erase(0, at_);
      at_ = 0;
      const size_t have = buffer_.size();
      const uint64_t wanted = std::max<uint64_t>(size - have, kStepBytes);
      const size_t more = static_cast<size_t>(std::min(wanted, end_ - read_));
      buffer_.resize(have + more);
      VARVE_ASSIGN_OR_RETURN(const size_t got, file_->Read(read_, more, buffer_.data() + have));
      read_ += got;
      buffer_.resize(have + got);
    }
    const std::string_view bytes = std::string_view(buffer_).substr(at_, size);
    at_ += bytes.size();
    return bytes;
  }

 private:
  static constexpr uint64_t kStepBytes = uint64_t{1} << 20;

  const RandomAccessFile* const file_;
  const uint64_t end_;
  uint64_t read_ = 0;
  std::string buffer_;
  size_t at_ = 0;
};

}  // namespace

Result<MeasuredLog> MeasureLog(const BackupLog& log, SequenceNumber sequence) {
  MeasuredLog measured;
  ForwardReader reader(log.file.get(), log.end);
  VARVE_ASSIGN_OR_RETURN(std::string_view bytes, reader.Read(kWalFileHeaderBytes));
  const auto file_header = DecodeWalFileHeader(bytes, log.number);
  if (!file_header.ok()) return measured;
  measured.end = kWalFileHeaderBytes;
  while (measured.end < log.end) {
    // A record is compared with what its fields would be written as.
    char header[kWalRecordHeaderBytes], expected[kWalRecordHeaderBytes];
    VARVE_ASSIGN_OR_RETURN(bytes, reader.Read(sizeof(header)));
    if (bytes.size() < sizeof(header)) return measured;
    CopyBytes(header, bytes);
    const uint32_t count_and_type = LoadFixed<uint32_t>(header + 20);
    const WalHeaderFields fields{static_cast<WalRecordType>(count_and_type >> 28),
                                 LoadFixed<uint32_t>(header + 4), LoadFixed<uint64_t>(header + 8),
                                 LoadFixed<uint32_t>(header + 16), count_and_type & kMaxWalRecordOps};
    const uint64_t record_bytes = WalRecordBytes(fields.payload_bytes);
    if (record_bytes > log.end - measured.end) return measured;
    VARVE_ASSIGN_OR_RETURN(bytes, reader.Read(static_cast<size_t>(record_bytes) - sizeof(header)));
    if (bytes.size() < record_bytes - sizeof(header)) return measured;
    EncodeWalRecordHeader(fields, WalPayloadHash(bytes.substr(0, fields.payload_bytes)),
                          file_header->seed(), measured.end, expected);
    if (std::memcmp(header, expected, sizeof(header)) != 0) return measured;
    if (fields.type == WalRecordType::kBatch && fields.count > 0) {
      const SequenceNumber last = fields.first_sequence + fields.count - 1;
      if (last > sequence) {
        measured.goes_on = true;
        return measured;
      }
      measured.last_sequence = last;
    }
    measured.end += record_bytes;
  }
  measured.is_whole = true;
  return measured;
}

}  // namespace varve
