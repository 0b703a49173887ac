#include "format/segment_properties.h"

#include "base/coding.h"

namespace varve {

namespace {

// Reach disk: never renumber. A field is varint tag, varint length, bytes; numbers are varints
// within.
enum Tag : uint64_t {
  kFormatVersionTag = 1,
  kCompressionTag = 2,
  kEntryCountTag = 3,
  kTombstoneCountTag = 4,
  kKeyBytesTag = 5,
  kValueBytesTag = 6,
  kLogicalBytesTag = 7,
  kSmallestKeyTag = 8,
  kLargestKeyTag = 9,
  kSmallestSequenceTag = 10,
  kLargestSequenceTag = 11,
  kDataBytesTag = 12,
  kBlockCountTag = 13,
  kPointIndexOffsetTag = 14,
  kPointIndexPageCountTag = 15,
  kHashSaltTag = 16,
  kExpiryTag = 17,
};

void AppendNumber(Tag tag, uint64_t value, std::string* to) {
  AppendVarint(to, tag);
  AppendVarint(to, static_cast<uint64_t>(VarintLength(value)));
  AppendVarint(to, value);
}
void AppendBytes(Tag tag, std::string_view bytes, std::string* to) {
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
    case kFormatVersionTag:
      return ReadNumber(field, kAny32, &p->format_version);
    case kCompressionTag:
      return ReadNumber(field, static_cast<uint64_t>(Compression::kZstd), &p->compression);
    case kEntryCountTag:
      return ReadNumber(field, kAny, &p->entry_count);
    case kTombstoneCountTag:
      return ReadNumber(field, kAny, &p->tombstone_count);
    case kKeyBytesTag:
      return ReadNumber(field, kAny, &p->key_bytes);
    case kValueBytesTag:
      return ReadNumber(field, kAny, &p->value_bytes);
    case kLogicalBytesTag:
      return ReadNumber(field, kAny, &p->logical_bytes);
    case kSmallestKeyTag:
      p->smallest_key = field;
      return true;
    case kLargestKeyTag:
      p->largest_key = field;
      return true;
    case kSmallestSequenceTag:
      return ReadNumber(field, kMaxSequence, &p->smallest_sequence);
    case kLargestSequenceTag:
      return ReadNumber(field, kMaxSequence, &p->largest_sequence);
    case kDataBytesTag:
      return ReadNumber(field, kAny, &p->data_bytes);
    case kBlockCountTag:
      return ReadNumber(field, kAny, &p->block_count);
    case kPointIndexOffsetTag:
      return ReadNumber(field, kAny, &p->point_index_offset);
    case kPointIndexPageCountTag:
      return ReadNumber(field, kAny32, &p->point_index_page_count);
    case kHashSaltTag:
      return ReadNumber(field, kAny, &p->hash_salt);
    case kExpiryTag:
      return ConsumeExpirySummary(&field, &p->expiry) && field.empty();
    default:
      return true;  // of a later minor version: harmless to whoever does not know it
  }
}

}  // namespace

std::string EncodeSegmentProperties(const SegmentProperties& p) {
  std::string raw;
  AppendNumber(kFormatVersionTag, p.format_version, &raw);
  AppendNumber(kCompressionTag, static_cast<uint64_t>(p.compression), &raw);
  AppendNumber(kEntryCountTag, p.entry_count, &raw);
  AppendNumber(kTombstoneCountTag, p.tombstone_count, &raw);
  AppendNumber(kKeyBytesTag, p.key_bytes, &raw);
  AppendNumber(kValueBytesTag, p.value_bytes, &raw);
  AppendNumber(kLogicalBytesTag, p.logical_bytes, &raw);
  AppendBytes(kSmallestKeyTag, p.smallest_key, &raw);
  AppendBytes(kLargestKeyTag, p.largest_key, &raw);
  AppendNumber(kSmallestSequenceTag, p.smallest_sequence, &raw);
  AppendNumber(kLargestSequenceTag, p.largest_sequence, &raw);
  AppendNumber(kDataBytesTag, p.data_bytes, &raw);
  AppendNumber(kBlockCountTag, p.block_count, &raw);
  AppendNumber(kPointIndexOffsetTag, p.point_index_offset, &raw);
  AppendNumber(kPointIndexPageCountTag, p.point_index_page_count, &raw);
  AppendNumber(kHashSaltTag, p.hash_salt, &raw);
  if (!p.expiry.empty()) {
    std::string summary;
    AppendExpirySummary(p.expiry, &summary);
    AppendBytes(kExpiryTag, summary, &raw);
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
