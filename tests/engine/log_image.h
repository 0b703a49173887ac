// Logs made by hand, record by record.
#ifndef VARVE_TESTS_ENGINE_LOG_IMAGE_H_
#define VARVE_TESTS_ENGINE_LOG_IMAGE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "env/crash_env.h"
#include "format/filename.h"
#include "format/internal_key.h"
#include "format/wal.h"
#include "tests/support/status_matchers.h"

namespace varve::test {

// One log, as bytes.
class LogImage {
 public:
  explicit LogImage(WalFileHeader header) : header_(header) {
    header_.salt = header.log_number * 77;
    bytes_.resize(kWalFileHeaderBytes);
    EncodeWalFileHeader(header_, bytes_.data());
  }
  // A record with one put of `key`.
  LogImage& Put(SequenceNumber sequence, const std::string& key, uint32_t synced_offset = 0) {
    std::string payload;
    AppendWalOp({static_cast<uint8_t>(EntryKind::kValue), key, "v"}, &payload);
    return Record(sequence, payload, synced_offset);
  }
  LogImage& Record(SequenceNumber sequence, const std::string& payload, uint32_t synced_offset = 0) {
    WalHeaderFields fields;
    fields.payload_bytes = static_cast<uint32_t>(payload.size());
    fields.first_sequence = sequence;
    fields.synced_offset = synced_offset;
    fields.count = 1;
    AppendWalRecord(fields, payload, header_.seed(), &bytes_);
    return *this;
  }
  LogImage& Mark(SequenceNumber sequence, uint32_t synced_offset) {
    WalHeaderFields fields;
    fields.type = WalRecordType::kMark;
    fields.first_sequence = sequence;
    fields.synced_offset = synced_offset;
    AppendWalRecord(fields, {}, header_.seed(), &bytes_);
    return *this;
  }
  LogImage& Damage(size_t at) {
    bytes_[at] = static_cast<char>(bytes_[at] ^ 0x40);
    return *this;
  }
  LogImage& Zeros(size_t count) {
    bytes_.append(count, '\0');
    return *this;
  }
  uint64_t end() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }
  std::string& bytes() { return bytes_; }

 private:
  WalFileHeader header_;
  std::string bytes_;
};

inline WalFileHeader First(uint64_t number) {
  WalFileHeader header;
  header.log_number = number;
  return header;
}
inline WalFileHeader After(uint64_t number, uint64_t previous, uint64_t end, bool is_synced) {
  WalFileHeader header = First(number);
  header.previous_log_number = previous;
  header.previous_end_offset = end;
  header.previous_is_synced = is_synced;
  return header;
}

// A directory for them.
class LogsByHand : public ::testing::Test {
 protected:
  LogsByHand() { EXPECT_OK(env_.CreateDir("/db")); }
  std::string PathOf(uint64_t number) { return JoinPath("/db", WalFileName(number)); }
  void Save(uint64_t number, const std::string& bytes) { ASSERT_OK(env_.WriteFileForTest(PathOf(number), bytes)); }
  void Save(uint64_t number, const LogImage& log) { Save(number, log.bytes()); }

  CrashEnv env_;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_ENGINE_LOG_IMAGE_H_
