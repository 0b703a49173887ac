#include "format/segment_properties.h"

#include "base/coding.h"

namespace varve {

namespace {

// Reach disk: never renumber. A field is varint tag, varint length, bytes; numbers are varints
// within.
enum PropertyTag : uint64_t {
  kFormatVersionPropertyTag = 1,
  kCompressionPropertyTag = 2,
  kEntryCountPropertyTag = 3,
  kTombstoneCountPropertyTag = 4,
  kKeyBytesPropertyTag = 5,
  kValueBytesPropertyTag = 6,
  kLogicalBytesPropertyTag = 7,
  kSmallestKeyPropertyTag = 8,
  kLargestKeyPropertyTag = 9,
  kSmallestSequencePropertyTag = 10,
  kLargestSequencePropertyTag = 11,
  kDataBytesPropertyTag = 12,
  kBlockCountPropertyTag = 13,
  kPointIndexOffsetPropertyTag = 14,
  kPointIndexPageCountPropertyTag = 15,
  kHashSaltPropertyTag = 16,
  kExpiryPropertyTag = 17,
};

void AppendNumber(PropertyTag tag, uint64_t value, std::string* to) {
  AppendVarint(to, tag);
  AppendVarint(to, static_cast<uint64_t>(VarintLength(value)));
  AppendVarint(to, value);
}
void AppendBytes(PropertyTag tag, std::string_view bytes, std::string* to) {
  AppendVarint(to, tag);
  AppendLengthPrefixed(to, bytes);
}

// Reads a number that fills `field` and is at most `limit`.
template <typename T>
bool ReadNumber(std::string_view field, uint64_t limit, T* value) {
  uint64_t number;
  if (!ConsumeVarint(&field, &number) || !field.empty() || number > limit) return false;
  *value = static_cast<T>(number);
  return true;
}

bool ReadField(uint64_t tag, std::string_view field, SegmentProperties* p) {
  constexpr uint64_t kAny = ~uint64_t{0};
  constexpr uint64_t kAny32 = ~uint32_t{0};
  switch (tag) {
    case kFormatVersionPropertyTag:
      return ReadNumber(field, kAny32, &p->format_version);
    case kCompressionPropertyTag:
      return ReadNumber(field, static_cast<uint64_t>(Compression::kZstd), &p->compression);
    case kEntryCountPropertyTag:
      return ReadNumber(field, kAny, &p->entry_count);
    case kTombstoneCountPropertyTag:
      return ReadNumber(field, kAny, &p->tombstone_count);
    case kKeyBytesPropertyTag:
      return ReadNumber(field, kAny, &p->key_bytes);
    case kValueBytesPropertyTag:
      return ReadNumber(field, kAny, &p->value_bytes);
    case kLogicalBytesPropertyTag:
      return ReadNumber(field, kAny, &p->logical_bytes);
    case kSmallestKeyPropertyTag:
      p->smallest_key = field;
      return true;
    case kLargestKeyPropertyTag:
      p->largest_key = field;
      return true;
    case kSmallestSequencePropertyTag:
      return ReadNumber(field, kMaxSequence, &p->smallest_sequence);
    case kLargestSequencePropertyTag:
      return ReadNumber(field, kMaxSequence, &p->largest_sequence);
    case kDataBytesPropertyTag:
      return ReadNumber(field, kAny, &p->data_bytes);
    case kBlockCountPropertyTag:
      return ReadNumber(field, kAny, &p->block_count);
    case kPointIndexOffsetPropertyTag:
      return ReadNumber(field, kAny, &p->point_index_offset);
    case kPointIndexPageCountPropertyTag:
      return ReadNumber(field, kAny32, &p->point_index_page_count);
    case kHashSaltPropertyTag:
      return ReadNumber(field, kAny, &p->hash_salt);
    case kExpiryPropertyTag:
      return ConsumeExpirySummary(&field, &p->expiry) && field.empty();
    default:
      return true;  // of a later minor version: harmless to whoever does not know it
  }
}

}  // namespace

std::string EncodeSegmentProperties(const SegmentProperties& p) {
  std::string raw;
  AppendNumber(kFormatVersionPropertyTag, p.format_version, &raw);
  AppendNumber(kCompressionPropertyTag, static_cast<uint64_t>(p.compression), &raw);
  AppendNumber(kEntryCountPropertyTag, p.entry_count, &raw);
  AppendNumber(kTombstoneCountPropertyTag, p.tombstone_count, &raw);
  AppendNumber(kKeyBytesPropertyTag, p.key_bytes, &raw);
  AppendNumber(kValueBytesPropertyTag, p.value_bytes, &raw);
  AppendNumber(kLogicalBytesPropertyTag, p.logical_bytes, &raw);
  AppendBytes(kSmallestKeyPropertyTag, p.smallest_key, &raw);
  AppendBytes(kLargestKeyPropertyTag, p.largest_key, &raw);
  AppendNumber(kSmallestSequencePropertyTag, p.smallest_sequence, &raw);
  AppendNumber(kLargestSequencePropertyTag, p.largest_sequence, &raw);
  AppendNumber(kDataBytesPropertyTag, p.data_bytes, &raw);
  AppendNumber(kBlockCountPropertyTag, p.block_count, &raw);
  AppendNumber(kPointIndexOffsetPropertyTag, p.point_index_offset, &raw);
  AppendNumber(kPointIndexPageCountPropertyTag, p.point_index_page_count, &raw);
  AppendNumber(kHashSaltPropertyTag, p.hash_salt, &raw);
  if (!p.expiry.empty()) {
    std::string summary;
    AppendExpirySummary(p.expiry, &summary);
    AppendBytes(kExpiryPropertyTag, summary, &raw);
  }
  return raw;
}

Result<SegmentProperties> DecodeSegmentProperties(std::string_view raw) {
  SegmentProperties properties;
  while (!raw.empty()) {
    uint64_t tag;
    std::string_view field;
    if (!ConsumeVarint(&raw, &tag) || !ConsumeLengthPrefixed(&raw, &field) ||
        !ReadField(tag, field, &properties)) {
      return Status::Corruption("segment properties: malformed");
    }
  }
  return properties;
}

}  // namespace varve
