// Value log records and file headers from any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/value_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)CheckValueLogFileHeader(bytes, 1);
  const Result<ValueLogRecord> record = DecodeValueLogRecord(bytes, 1, 32);
  if (record.ok() && record->key.size() + record->value.size() > size) std::abort();
  (void)DecodeValueLogRecord(bytes, ValuePointer{1, 32, 5, 3});
  return 0;
}
