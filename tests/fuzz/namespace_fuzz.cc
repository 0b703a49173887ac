// Records of the table of namespaces, and what a segment knows about deadlines, from any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/expiry.h"
#include "format/namespace_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Result<NamespaceRecord> record = DecodeNamespaceRecord(bytes);
  if (record.ok()) {
    const Result<NamespaceRecord> again = DecodeNamespaceRecord(EncodeNamespaceRecord(*record));
    if (!again.ok() || !(*again == *record)) std::abort();
  }
  const Result<uint32_t> id = DecodeNextNamespaceId(bytes);
  if (id.ok() && EncodeNextNamespaceId(*id) != bytes) std::abort();

  std::string_view rest = bytes;
  ExpirySummary summary;
  if (ConsumeExpirySummary(&rest, &summary)) {
    std::string encoded;
    AppendExpirySummary(summary, &encoded);
    std::string_view encoded_rest = encoded;
    ExpirySummary again;
    if (!ConsumeExpirySummary(&encoded_rest, &again) || !(again == summary)) std::abort();
    (void)summary.ExpiredBytes(summary.max_deadline);
  }
  return 0;
}
