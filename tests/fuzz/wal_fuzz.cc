// Reading a log of any bytes behind a good header, once as they come and once with the checksums of
// its records put right as far as their lengths make sense.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "format/wal.h"

namespace varve {
namespace {

const WalFileHeader kFuzzedLog = {.log_number = 1, .salt = 2};

void ReadLog(std::string_view image) {
  WalReader reader(image, kFuzzedLog);
  uint64_t end = kWalFileHeaderBytes;
  WalRecord record;
  while (reader.Next(&record) == WalReadResult::kRecord) {
    if (reader.offset() <= end) std::abort();
    end = reader.offset();
    WalOpReader ops(record.payload, record.count);
    for (WalOp op; ops.Next(&op);) {
      if (op.key.data() + op.key.size() > image.data() + image.size()) std::abort();
    }
  }
}

void SealRecords(std::string* image) {
  uint64_t at = kWalFileHeaderBytes;
  while (at + kWalRecordHeaderBytes <= image->size()) {
    char* header = image->data() + at;
    const uint64_t payload_bytes = LoadFixed<uint32_t>(header + 4) % 256;
    if (at + WalRecordBytes(payload_bytes) > image->size()) return;
    EncodeWalRecordHeader({.type = WalRecordType::kBatch,
                           .payload_bytes = static_cast<uint32_t>(payload_bytes),
                           .first_sequence = LoadFixed<uint64_t>(header + 8),
                           .synced_offset = LoadFixed<uint32_t>(header + 16),
                           .count = LoadFixed<uint32_t>(header + 20) % 16},
                          WalPayloadHash({header + kWalRecordHeaderBytes, payload_bytes}),
                          kFuzzedLog.seed(), at, header);
    at += WalRecordBytes(payload_bytes);
  }
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)DecodeWalFileHeader(bytes, 1);
  std::string image(kWalFileHeaderBytes, '\0');
  EncodeWalFileHeader(kFuzzedLog, image.data());
  image.append(bytes);
  ReadLog(image);
  SealRecords(&image);
  ReadLog(image);
  WalOpReader ops(bytes, static_cast<uint32_t>(size));
  for (WalOp op; ops.Next(&op);) {
  }
  return 0;
}
