#include "format/namespace_record.h"

#include "base/coding.h"
#include "format/expiry.h"

namespace varve {

namespace {

// Reach disk: never renumber.
constexpr uint64_t kDurabilityTag = 1;
constexpr uint64_t kCompressionTag = 2;
constexpr uint64_t kDefaultTtlTag = 3;  // milliseconds

Status Malformed() { return Status::Corruption("a malformed record in the table of namespaces"); }

}  // namespace

std::string EncodeNamespaceRecord(const NamespaceRecord& record) {
  std::string bytes;
  AppendFixed(&bytes, record.id);
  const auto append = [&](uint64_t tag, uint64_t value) {
    AppendVarint(&bytes, tag);
    AppendVarint(&bytes, value);
  };
  if (record.durability) append(kDurabilityTag, static_cast<uint64_t>(*record.durability));
  if (record.compression) append(kCompressionTag, static_cast<uint64_t>(*record.compression));
  if (record.default_ttl) append(kDefaultTtlTag, static_cast<uint64_t>(record.default_ttl->count()));
  return bytes;
}

Result<NamespaceRecord> DecodeNamespaceRecord(std::string_view bytes) {
  NamespaceRecord record;
  if (bytes.size() < sizeof(record.id)) return Malformed();
  record.id = LoadFixed<uint32_t>(bytes.data());
  bytes.remove_prefix(sizeof(record.id));
  if (record.id == 0) return Malformed();
  while (!bytes.empty()) {
    uint64_t tag, value;
    if (!ConsumeVarint(&bytes, &tag) || !ConsumeVarint(&bytes, &value)) return Malformed();
    if (tag == kDurabilityTag && value <= static_cast<uint64_t>(Durability::kNone)) {
      record.durability = static_cast<Durability>(value);
    } else if (tag == kCompressionTag && value <= static_cast<uint64_t>(Compression::kAuto)) {
      record.compression = static_cast<Compression>(value);
    } else if (tag == kDefaultTtlTag && value > 0 && value <= kMaxDeadline) {
      record.default_ttl = std::chrono::milliseconds(value);
    } else {
      return Status::NotSupported("an option of a namespace was written by a newer version");
    }
  }
  return record;
}

std::string EncodeNextNamespaceId(uint32_t id) {
  std::string bytes;
  AppendFixed(&bytes, id);
  return bytes;
}

Result<uint32_t> DecodeNextNamespaceId(std::string_view bytes) {
  if (bytes.size() != sizeof(uint32_t)) return Malformed();
  return LoadFixed<uint32_t>(bytes.data());
}

}  // namespace varve
